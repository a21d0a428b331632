# syntax=docker/dockerfile:1
# The image of the proxy, for amd64 and arm64:
#   docker build -t dicomweb-proxy .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/dicomweb-proxy:1.0 --push .
#
# The proxy listens on all addresses of its container, so it starts only with -e Security__AllowAnonymous=true: it does not authenticate
# users. Put it behind a reverse proxy that does. It accepts IP addresses and localhost as host; add a DNS name with
# -e Security__AllowedHosts__0=pacs.example.org.
#
# The root file system may be read-only (--read-only): the proxy writes to /var/cache/proxy only. --cap-drop ALL is fine.

# The SDK runs on the machine that builds; it compiles for the target, so no emulation is needed.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH=amd64
ARG VERSION=1.0.0
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig appsettings.json ./
COPY THIRD-PARTY-NOTICES.txt LICENSE README.md ./
COPY src src
# ReadyToRun shortens the start and the first requests. The lock file is a copy: it contains the runtime packs of the target.
RUN dotnet publish src/Proxy -c Release -a $TARGETARCH --self-contained false -p:PublishReadyToRun=true -p:Version=$VERSION \
    -p:NuGetLockFilePath=/tmp/packages.lock.json -o /app
# Empty folders with the right owner: the final stage runs no command of the target platform.
RUN mkdir -p /empty/config /empty/cache && chmod 700 /empty/cache

# OHIF for /viewer/, in the version that "viewer install" takes, without source maps. npm checks the hash of the package.
FROM --platform=$BUILDPLATFORM node:22-slim AS viewer
ARG OHIF_VERSION=3.13.2
WORKDIR /ohif
RUN npm pack --silent @ohif/app@$OHIF_VERSION && tar -xzf ohif-app-$OHIF_VERSION.tgz package/dist && rm ohif-app-$OHIF_VERSION.tgz \
    && find package/dist -name '*.map' -delete

FROM mcr.microsoft.com/dotnet/aspnet:10.0
LABEL org.opencontainers.image.title="DICOMweb proxy" \
      org.opencontainers.image.description="One DICOMweb address in front of several PACS" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=build /app .
COPY --from=viewer /ohif/package/dist /opt/ohif
COPY --from=build --chown=$APP_UID /empty/config /app/config
COPY --from=build --chown=$APP_UID /empty/cache /var/cache/proxy
# The runtime needs no diagnostic socket in /tmp. ASPNETCORE_HTTP_PORTS of the base image would add a second listener.
ENV ASPNETCORE_URLS=http://0.0.0.0:8080 \
    ASPNETCORE_HTTP_PORTS= \
    DOTNET_EnableDiagnostics=0 \
    Cache__Disk__Path=/var/cache/proxy \
    Viewer__Path=/opt/ohif
EXPOSE 8080
# Mount settings (config/*.json) and the cache. The cache contains patient images; Cache__Disk__MaxBytes limits its size.
VOLUME /app/config /var/cache/proxy
USER $APP_UID
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["dotnet", "Proxy.dll", "health"]
# SIGTERM stops it: running downloads have Shutdown__Drain (30 s) to end. Give "docker stop" 45 s (-t 45).
STOPSIGNAL SIGTERM
ENTRYPOINT ["dotnet", "Proxy.dll"]
