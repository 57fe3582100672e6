# The pipe's image. NODE_IMAGE may be replaced by any image with Node 24 and npm on Debian.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
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

# One layer without the files that were removed.
FROM scratch
COPY --from=runtime / /
COPY --from=build /build/build/pipe /opt/keyless-submit
COPY LICENSE README.md pipe.yml /
# Bitbucket's storage directories and the checkout belong to root, so the pipe runs as root, as pipes do.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Without the variables that make Node and a library print what they send, tokens and all, and without Node's own proxy support,
# which ends the pipe where HTTPS_PROXY is malformed.
ENTRYPOINT ["env", "-u", "NODE_USE_ENV_PROXY", "-u", "NODE_DEBUG", "-u", "NODE_DEBUG_NATIVE", "-u", "GOOGLE_SDK_NODE_LOGGING", "node", "/opt/keyless-submit/main.mjs"]
