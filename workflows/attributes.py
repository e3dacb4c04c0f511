"""The search attributes. Few, because the server has few slots for them."""

from temporalio.common import SearchAttributeKey

OF_TENANT = SearchAttributeKey.for_keyword("OfTenant")
OF_AGENT = SearchAttributeKey.for_keyword("OfAgent")
# Set where it says more than Temporal's own status: waiting, failed, cancelled, timed_out. Each change
# costs the server a write, so the plain way from running to completed has none.
OF_STATUS = SearchAttributeKey.for_keyword("OfStatus")
OF_KIND = SearchAttributeKey.for_keyword("OfKind")
