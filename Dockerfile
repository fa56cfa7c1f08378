# docserver with everything it needs, including a private MariaDB and Redis:
# `docker run -p 127.0.0.1:8000:8000 -v docserver:/data docserver`.
# It runs without root, without capabilities, and with a read-only root file system (`--read-only --tmpfs /tmp`).

# docker-compose.yml has this image by its digest. To build with that: docker compose build.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS builder
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils python3-venv \
 && python3 -m venv /opt/docserver
WORKDIR /src
ENV PIP_NO_CACHE_DIR=on PIP_DISABLE_PIP_VERSION_CHECK=on
# Only releases that the lock file names, with a hash that it names. aiohttp-apispec has no wheel: it is built with the
# setuptools of the lock file.
COPY requirements.lock ./
RUN sed '/^# run$/,$d' requirements.lock >build.txt \
 && sed '/^# test$/,$d' requirements.lock >run.txt \
 && sed '1,/^# ppocr$/d' requirements.lock >ppocr.txt \
 && /opt/docserver/bin/pip install --require-hashes --only-binary :all: --requirement build.txt \
 && /opt/docserver/bin/pip install --require-hashes --only-binary :all: --no-binary aiohttp-apispec \
      --no-build-isolation --requirement run.txt \
 && /opt/docserver/bin/pip install --require-hashes --only-binary :all: --no-deps --requirement ppocr.txt
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY docserver docserver
COPY sql sql
RUN /opt/docserver/bin/pip install --no-deps --no-build-isolation . \
 && /opt/docserver/bin/pip uninstall --yes pip setuptools \
 && find /opt/docserver -depth -type d -name tests -exec rm -rf {} + \
 && find /opt/docserver -type f -regex ".*[.]\(c\|pyx\|map\)" -delete \
 && rm -rf /opt/docserver/lib/python3*/site-packages/onnxruntime/tools \
      /opt/docserver/lib/python3*/site-packages/onnxruntime/transformers \
      /opt/docserver/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so* \
 && find /opt/docserver -type f -name "*.so*" -exec strip --strip-unneeded {} + \
 && rm -f /opt/docserver/bin/Activate.ps1 /opt/docserver/bin/activate*

FROM ${BASE}
LABEL org.opencontainers.image.title="docserver" \
      org.opencontainers.image.description="Documents go in over HTTP, their text comes out" \
      org.opencontainers.image.licenses="MIT"
# tini is process 1: it reaps the orphans of OCR processes that were killed.
RUN apt-get update \
 && apt-get upgrade -y \
 && apt-get install -y --no-install-recommends \
      mariadb-server-core poppler-utils python3 redis-tools tesseract-ocr tesseract-ocr-eng tini \
 && find /usr/share/mariadb -mindepth 1 -maxdepth 1 -type d ! -name charsets ! -name english -exec rm -rf {} + \
 && rm -f /usr/share/mariadb/fill_help_tables.sql /usr/share/mariadb/mariadb_sys_schema.sql \
      /usr/bin/redis-benchmark /usr/bin/aria_* /usr/bin/innochecksum /usr/bin/mariadb-upgrade /usr/bin/mysql_upgrade \
      /usr/bin/resolveip /usr/share/tesseract-ocr/5/tessdata/osd.traineddata \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/* \
 && useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin docserver \
 && install -d -o docserver -g docserver -m 700 /data
COPY --from=builder /opt/docserver /opt/docserver
ENV PATH=/opt/docserver/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    DOCSERVER_DATA_DIR=/data \
    DOCSERVER_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('DOCSERVER_PORT') or 8000}/readyz\", timeout=4)"]
ENTRYPOINT ["tini", "--", "docserver"]
CMD ["--embedded"]
