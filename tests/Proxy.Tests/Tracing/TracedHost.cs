using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Proxy.Tests.Pacs;

namespace Proxy.Tests.Tracing;

/// <summary>A running proxy whose requests are traced.</summary>
public interface ITracedHost : IAsyncDisposable
{
    /// <summary>Sends a GET request and returns the trace of the work that it started.</summary>
    public Task<Trace> GetAsync(string path);

    /// <summary>Sends a POST request with a JSON body.</summary>
    public Task PostAsync(string path, string json);
}

/// <summary>The traced copy of the product on a free loopback port.</summary>
/// <typeparam name="TProgram">The entry point of the copy.</typeparam>
public sealed class TracedHost<TProgram> : WebApplicationFactory<TProgram>, ITracedHost where TProgram : class
{
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly string _root = Directory.CreateTempSubdirectory("proxy-trace-").FullName;
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });
    private readonly Lazy<string> _address;
    private volatile TaskCompletionSource<Trace> _started = new();

    public TracedHost(IReadOnlyDictionary<string, string> settings)
    {
        _settings = settings;
        _address = new(Start);
        UseKestrel();
    }

    public async Task<Trace> GetAsync(string path)
    {
        _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        using var response = await _client.GetAsync(new Uri(_address.Value + path), stop.Token);
        response.EnsureSuccessStatusCode();
        return await _started.Task.WaitAsync(stop.Token);
    }

    public async Task PostAsync(string path, string json)
    {
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        using var response = await _client.PostAsync(new Uri(_address.Value + path), body, stop.Token);
        response.EnsureSuccessStatusCode();
    }

    public override async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await base.DisposeAsync();
        await Until.DeletedAsync(_root);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(Environments.Production);
        builder.UseContentRoot(_root);
        builder.UseSetting("urls", "http://127.0.0.1:0");
        builder.UseSetting("Cache:Disk:Path", Path.Combine(_root, "cache"));
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureTestServices(
            services => services.RemoveAll<ILoggerProvider>().AddSingleton<IStartupFilter>(new Tracing(this)));
    }

    private string Start()
    {
        StartServer();
        return Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    private sealed class Tracing(TracedHost<TProgram> host) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(further => context =>
            {
                host._started.TrySetResult(Trace.Start());
                return further(context);
            });
            next(app);
        };
    }
}
