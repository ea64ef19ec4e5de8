# The tag names one Python release. To pin its very bytes too, ask the registry for their digest and
# write it behind the tag, as python:…@sha256:…:
#   docker buildx imagetools inspect python:3.11.15-slim-bookworm --format '{{.Manifest.Digest}}'
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/tool.txt requirements/image.txt requirements/
RUN python -m venv /opt/tool && /opt/tool/bin/python -m pip install --quiet --no-cache-dir --require-hashes -r requirements/tool.txt
ENV PATH=/opt/tool/bin:$PATH
# What changes seldom stands first, so that a change of the code builds in seconds.
COPY scripts scripts
RUN scripts/install.sh requirements /opt/switchgear
COPY pyproject.toml README.md LICENSE ./
COPY providers providers
COPY app app
RUN scripts/install.sh wheel /opt/switchgear

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/switchgear /opt/switchgear
# The one place that is written to. Everything else may be mounted read-only.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
ENV PATH=/opt/switchgear/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# The default `storage` is data/switchgear.db, and so it lies in the volume.
WORKDIR /
VOLUME /data
USER 10001:10001
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["switchgear", "healthcheck"]
ENTRYPOINT ["switchgear"]
CMD ["run", "--host", "0.0.0.0"]
