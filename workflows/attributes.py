"""The search attributes. Few, because the server has few slots for them."""

from temporalio.common import SearchAttributeKey

OF_TENANT = SearchAttributeKey.for_keyword("OfTenant")
OF_AGENT = SearchAttributeKey.for_keyword("OfAgent")
OF_STATUS = SearchAttributeKey.for_keyword("OfStatus")
OF_KIND = SearchAttributeKey.for_keyword("OfKind")
