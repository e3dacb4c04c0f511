# One image for the API, the worker and the migration job; the command says which it is.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS packages
# Without a pip of its own, the environment holds only what the lock file names.
RUN python -m venv --without-pip /opt/omniforge
COPY requirements/runtime.lock /tmp/runtime.lock
RUN python -m pip --python /opt/omniforge/bin/python install --no-cache-dir \
    --require-hashes --only-binary :all: --requirement /tmp/runtime.lock

FROM python:${PYTHON_VERSION}-slim
ENV PATH=/opt/omniforge/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMNIFORGE_HOME=/var/lib/omniforge \
    OMNIFORGE_HOST=0.0.0.0 \
    OMNIFORGE_PORT=8000
# The better sandbox for scripts of skills; docs/sandbox.md says what a container must permit for it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 omniforge \
    && useradd --uid 10001 --gid omniforge --create-home --home-dir /var/lib/omniforge \
       --shell /usr/sbin/nologin omniforge
COPY --from=packages /opt/omniforge /opt/omniforge
WORKDIR /srv/omniforge
COPY omniforge omniforge
COPY activities activities
COPY workflows workflows
COPY api api
COPY worker worker
RUN python -m compileall -q .
USER omniforge
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "api"]
