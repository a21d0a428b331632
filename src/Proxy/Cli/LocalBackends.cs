using Proxy.Admin.Testing;
using Proxy.Backends;
using Proxy.Dimse;
using Proxy.Events;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Cli;

/// <summary>The backends of the local settings, with all that sends requests to them and without a server.</summary>
internal sealed class LocalBackends : IAsyncDisposable
{
    private readonly WebApplication _app;

    /// <summary>Creates what the tests of the backends need.</summary>
    public LocalBackends(LocalSettings local)
    {
        var builder = local.Builder;
        // The report says all that the log would.
        builder.Logging.ClearProviders();
        builder.Services.AddSettings(local.Settings);
        builder.Services.AddOperations();
        builder.Services.AddTelemetry(local.Settings.Telemetry);
        builder.Services.AddEvents();
        builder.Services.AddBackends(builder.Configuration);
        builder.Services.AddDimse();
        builder.Services.AddSingleton<BackendTests>();
        _app = builder.Build();
        // YARP loads its clusters when its routes are mapped.
        _app.MapReverseProxy();
        Tests = _app.Services.GetRequiredService<BackendTests>();
        All = _app.Services.GetRequiredService<BackendSet>();
    }

    /// <summary>Tests backends.</summary>
    public BackendTests Tests { get; }

    /// <summary>The backends.</summary>
    public BackendSet All { get; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
