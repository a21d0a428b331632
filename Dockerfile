# The image of the proxy. It listens on every address of its container, so it starts only with
#   -e Security__AllowAnonymous=true
# and answers to IP addresses and localhost; a DNS name of it is added with
#   -e Security__AllowedHosts__0=pacs.example.org
# It belongs behind something that knows who its users are.
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH=x64
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig appsettings.json ./
COPY src src
# Compiled ahead, so that the first study opens as fast as the tenth; its packages are locked in a file of their own.
RUN dotnet publish src/Proxy -c Release -a $TARGETARCH --self-contained false -p:PublishReadyToRun=true -p:NuGetLockFilePath=/tmp/packages.lock.json -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app .
ENV ASPNETCORE_URLS=http://0.0.0.0:8080
# What is kept outlives the container on a volume; Cache__Disk__MaxBytes says how much of it may be used.
ENV Cache__Disk__Path=/var/cache/proxy
RUN install -d -m 700 -o $APP_UID /var/cache/proxy
EXPOSE 8080
VOLUME /app/config /var/cache/proxy
USER $APP_UID
ENTRYPOINT ["dotnet", "Proxy.dll"]
