# The pipe's image. NODE_IMAGE is an image with Node 24 and npm on Debian, by its digest. A release records that of the
# default here (tools/release.ts); images of this machine itself, localhost/NAME, need none.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
ARG NODE_IMAGE
RUN case "${NODE_IMAGE}" in \
      localhost/* | *@sha256:????????????????????????????????????????????????????????????????) ;; \
      *) echo "NODE_IMAGE is ${NODE_IMAGE}; expected an image by its digest, such as node:24-slim@sha256:..., or localhost/NAME" >&2; exit 1 ;; \
    esac
WORKDIR /build
COPY package.json package-lock.json .npmrc LICENSE ./
RUN npm ci
COPY shared ./shared
COPY pipe ./pipe
COPY tools/bundle.ts tools/node-fetch.ts ./tools/
RUN npm run bundle -- pipe

FROM ${NODE_IMAGE} AS runtime
# Nothing may be installed in a running pipe.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn*
# buildkite-agent runs in here too, and needs the public authorities in a file. Node brings them along.
RUN mkdir -p /etc/ssl/certs && cd /etc/ssl/certs && \
    { [ -e ca-certificates.crt ] || node --print 'tls.rootCertificates.join("\n")' > ca-certificates.crt; }

# One layer without the files that were removed.
FROM scratch
COPY --from=runtime / /
COPY --from=build /build/build/pipe /opt/keyless-submit
COPY LICENSE README.md pipe.yml /
# Bitbucket's storage directories and the checkout belong to root, so the pipe runs as root, as pipes do.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Without what changes how Node itself runs, which is meant for programs of the step. hooks/find-node.sh has the same list.
ENTRYPOINT ["env", "-u", "NODE_CHANNEL_FD", "-u", "NODE_CHANNEL_SERIALIZATION_MODE", "-u", "NODE_COMPILE_CACHE", \
  "-u", "NODE_COMPILE_CACHE_PORTABLE", "-u", "NODE_DEBUG", "-u", "NODE_DEBUG_NATIVE", "-u", "NODE_ICU_DATA", \
  "-u", "NODE_INSPECT_RESUME_ON_START", "-u", "NODE_OPTIONS", "-u", "NODE_PATH", "-u", "NODE_PENDING_DEPRECATION", \
  "-u", "NODE_PRESERVE_SYMLINKS", "-u", "NODE_PRESERVE_SYMLINKS_MAIN", "-u", "NODE_REDIRECT_WARNINGS", \
  "-u", "NODE_REPL_EXTERNAL_MODULE", "-u", "NODE_REPL_HISTORY", "-u", "NODE_TEST_CONTEXT", "-u", "NODE_UNIQUE_ID", \
  "-u", "NODE_USE_ENV_PROXY", "-u", "NODE_V8_COVERAGE", "-u", "GOOGLE_SDK_NODE_LOGGING", \
  "node", "/opt/keyless-submit/main.mjs"]
