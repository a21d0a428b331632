using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Proxy.Demo.Http;
using Proxy.Operations;

namespace Proxy.Demo;

/// <summary>A PACS inside this process: a DICOMweb server on a loopback port with generated studies.</summary>
/// <remarks>
/// The proxy reaches it over a socket, like a real PACS. It reads no configuration, writes no log, and keeps what clients store in memory.
/// Disposing it aborts every connection at once, like a power failure.
/// </remarks>
public sealed class DemoPacs : IAsyncDisposable
{
    private const int MaxRequests = 10_000;
    private const string Path = "/dicom-web";

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<string> _requests = new();

    private DemoPacs(WebApplication app) => _app = app;

    /// <summary>The DICOMweb root, <c>http://127.0.0.1:PORT/dicom-web</c>.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Path and query of the last 10,000 requests, undecoded, oldest first.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    /// <summary>Starts a demo PACS on a free port.</summary>
    /// <param name="archive">The studies.</param>
    /// <param name="line">The simulated line; <see cref="DemoLine.None"/> by default.</param>
    /// <param name="time">The clock of the line; the system's by default.</param>
    /// <param name="cancellation">Cancels the start.</param>
    public static async Task<DemoPacs> StartAsync(
        DemoArchive archive, DemoLine? line = null, TimeProvider? time = null, CancellationToken cancellation = default)
    {
        // The empty builder: settings of the proxy must not affect this server.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var pace = new Pace(line ?? DemoLine.None, time ?? TimeProvider.System);
        builder.Services.AddRoutingCore().AddSingleton(pace).AddSingleton<IHostLifetime, QuietLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = DemoHolding.MaxBytes;
            kestrel.Listen(IPAddress.Loopback, 0);
        });

        var pacs = new DemoPacs(builder.Build());
        await pacs.StartAsync(archive, pace, cancellation);
        return pacs;
    }

    /// <summary>Aborts all connections and stops the server.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private async Task StartAsync(DemoArchive archive, Pace pace, CancellationToken cancellation)
    {
        _app.Use(async (context, next) =>
        {
            Remember(context);
            await pace.WaitAsync(context.RequestAborted);
            await next(context);
        });
        _app.UseRouting();

        // Deferred: the port is known only after the server has started.
        string Root() => Address.OriginalString;
        var holding = new DemoHolding(archive);
        Endpoints.Map(
            _app.MapGroup(Path), new DemoSearch(holding, Root), new DemoRetrieve(holding, Root), new DemoStore(holding, Root));
        await _app.StartAsync(cancellation);

        var addresses = _app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>();
        Address = new Uri(addresses.Addresses.Single() + Path);
    }

    private void Remember(HttpContext context)
    {
        _requests.Enqueue(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        if (_requests.Count > MaxRequests) _requests.TryDequeue(out _);
    }
}
