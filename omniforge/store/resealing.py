"""Secrets of all triggers, encrypted anew once the platform has a newer key."""

from sqlalchemy import Connection, select, update

from omniforge.keys import KeyRing
from omniforge.store.sealed import SealedSecret, SealedSecrets, open_secret, seal_secret
from omniforge.store.tables import triggers

_WITH_SECRETS = select(triggers.c.id, triggers.c.tenant_id, triggers.c.secrets).where(
    triggers.c.removed_at.is_(None)
)


def count_sealed(connection: Connection, key_id: str) -> int:
    """How many triggers have a secret that only this key opens."""
    return sum(
        any(one.key_id == key_id for one in SealedSecrets.validate_python(row.secrets))
        for row in connection.execute(_WITH_SECRETS)
    )


def reseal(connection: Connection, keys: KeyRing) -> int:
    """Put all secrets under the newest key that an older one here opens; of how many triggers."""
    count = 0
    for row in connection.execute(_WITH_SECRETS.with_for_update(key_share=True)).all():
        secrets = SealedSecrets.validate_python(row.secrets)
        if not any(_is_older(keys, one) for one in secrets):
            continue
        anew = [_sealed_anew(keys, row.tenant_id, row.id, one) for one in secrets]
        values = {"secrets": [one.model_dump(mode="json") for one in anew]}
        connection.execute(update(triggers).where(triggers.c.id == row.id).values(values))
        count += 1
    return count


def _is_older(keys: KeyRing, secret: SealedSecret) -> bool:
    return secret.key_id in keys.ids[1:]


def _sealed_anew(
    keys: KeyRing, tenant_id: str, trigger_id: str, secret: SealedSecret
) -> SealedSecret:
    if not _is_older(keys, secret):
        return secret
    value = open_secret(keys, tenant_id, trigger_id, secret).value
    sealed = seal_secret(keys, tenant_id, trigger_id, value)
    return secret.model_copy(update={"key_id": sealed.key_id, "data": sealed.data})
