using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Integration;

/// <summary>
/// The viewer on its own web server, as a hospital would host it: another origin than the proxy's, isolated with COOP and COEP,
/// which its shared memory needs. So all images in the viewer have passed CORS and CORP.
/// </summary>
public sealed class OhifSite : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OhifSite(WebApplication app) => _app = app;

    public string Root => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    /// <summary>The viewer with the configuration that the proxy returns for its own address.</summary>
    public static Task<OhifSite> ForProxyAsync(ProxyProcess proxy, CancellationToken cancellationToken) =>
        ForProxyAsync(proxy, "", cancellationToken);

    /// <summary>As above, with other values in the first data source, as JavaScript: <c>thumbnailRendering: 'thumbnail'</c>.</summary>
    public static Task<OhifSite> ForProxyAsync(ProxyProcess proxy, string changes, CancellationToken cancellationToken) => StartAsync(
        app => app.MapGet("/app-config.js", async (CancellationToken cancel) =>
            Results.Text(
                await proxy.Http.GetStringAsync(new Uri("ohif/app-config.js", UriKind.Relative), cancel)
                + $"Object.assign(window.config.dataSources[0].configuration, {{ {changes} }});",
                "text/javascript")),
        cancellationToken);

    /// <summary>
    /// The viewer in front of one Orthanc without the proxy: the reference for pictures. Orthanc does not support CORS, so the
    /// site forwards requests to it.
    /// </summary>
    public static Task<OhifSite> ForOrthancAsync(OrthancServer orthanc, CancellationToken cancellationToken) => StartAsync(
        app =>
        {
            var wire = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
            app.Lifetime.ApplicationStopped.Register(wire.Dispose);
            app.MapForwarder(
                "/dicom-web/{**rest}", $"http://127.0.0.1:{orthanc.Port}", ForwarderRequestConfig.Empty, HttpTransformer.Default, wire);
            app.MapGet("/app-config.js", () => Results.Text(DirectConfig, "text/javascript"));
        },
        cancellationToken);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private static async Task<OhifSite> StartAsync(Action<WebApplication> map, CancellationToken cancellationToken)
    {
        var files = new PhysicalFileProvider(await OhifPackage.FindAsync(cancellationToken)
            ?? throw new InvalidOperationException("No viewer"));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHttpForwarder();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.Use((context, next) =>
        {
            context.Response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
            context.Response.Headers["Cross-Origin-Embedder-Policy"] = "require-corp";
            return next(context);
        });
        // Serve the viewer's files, except the mapped configuration; a path without an extension is a page of the viewer's
        // script.
        app.UseStaticFiles(new StaticFileOptions { FileProvider = files, ServeUnknownFileTypes = true });
        map(app);
        app.MapFallback(() => Results.Stream(files.GetFileInfo("index.html").CreateReadStream(), "text/html; charset=utf-8"));
        await app.StartAsync(cancellationToken);
        return new OhifSite(app);
    }

    private const string DirectConfig = """
        window.config = {
          routerBasename: null, extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2,
          defaultDataSourceName: 'orthanc',
          dataSources: [{
            namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'orthanc',
            configuration: {
              friendlyName: 'Orthanc', name: 'orthanc', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web', wadoUriRoot: '/wado',
              qidoSupportsIncludeField: false, imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true,
              supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true },
            },
          }],
        };
        """;
}
