using System.Collections;
using System.Net;
using System.Net.Sockets;
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
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;

namespace Proxy.Tests.Walks;

/// <summary>The product as it is, in this process, on a free loopback port; it starts at the first request.</summary>
/// <example><c>await using var proxy = new ProxyHost { ["Backends:east:Address"] = east.Address };</c></example>
public sealed class ProxyHost : WebApplicationFactory<Program>, IEnumerable<KeyValuePair<string, string>>
{
    /// <summary>Nothing is fetched ahead unless a walk says so: most of them count what reaches a PACS.</summary>
    private readonly Dictionary<string, string> _settings = new()
    {
        ["hostBuilder:reloadConfigOnChange"] = "false",
        ["Prefetch:NextStudies"] = "0",
        ["Prefetch:Priors"] = "0",
        ["Prefetch:SeriesReadAhead"] = "false",
    };
    private readonly Lock _starting = new();
    private HttpClient? _client;
    private int _arrived;

    public ProxyHost()
    {
        UseKestrel();
        Root = Directory.CreateTempSubdirectory("proxy-walk-").FullName;
    }

    /// <summary>The proxy in front of these PACS.</summary>
    public ProxyHost(params IEnumerable<(string Name, string Address)> backends) : this()
    {
        foreach (var (name, address) in backends) this[$"Backends:{name}:Address"] = address;
    }

    /// <summary>The folder that it runs in: no <c>appsettings.json</c>, and a <c>config</c> where a walk makes one.</summary>
    public string Root { get; }

    /// <summary>The clock of the product; the machine's own where none is set.</summary>
    public FakeTimeProvider? Time { get; init; }

    public LogLines Log { get; } = new();

    /// <summary>Requests that reached the proxy.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Such as <c>http://127.0.0.1:40123</c>.</summary>
    public string Address => Client.BaseAddress!.GetLeftPart(UriPartial.Authority);

    public string this[string setting]
    {
        set => _settings[setting] = value;
    }

    private HttpClient Client
    {
        get
        {
            lock (_starting) return _client ??= Start();
        }
    }

    public Task<Reply> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, headers);

    public async Task<Reply> SendAsync(HttpMethod method, string path, (string Name, string Value)[] headers, string? body = null)
    {
        using var request = MakeRequest(method, path, headers);
        if (body is not null)
        {
            var type = headers.FirstOrDefault(h => h.Name == "Content-Type").Value ?? "application/json";
            request.Content = new StringContent(body);
            request.Content.Headers.Remove("Content-Type");
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseContentRead, stop.Token);
        return await Reply.ReadAsync(response);
    }

    /// <summary>A request as it is to stand on the wire, which asks for the connection to be closed; the whole answer as it came.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        using var client = new TcpClient(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, new Uri(Address).Port, stop.Token);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request), stop.Token);
        using var answer = new StreamReader(client.GetStream(), Encoding.Latin1);
        return await answer.ReadToEndAsync(stop.Token);
    }

    /// <summary>Only the head is read; the body comes as it comes. Disposing of the answer is hanging up.</summary>
    public async Task<HttpResponseMessage> OpenAsync(string path, params (string Name, string Value)[] headers)
    {
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        return await Client.SendAsync(MakeRequest(HttpMethod.Get, path, headers), HttpCompletionOption.ResponseHeadersRead, stop.Token);
    }

    /// <summary>A client that hangs up when the token says so.</summary>
    public async Task GetAsync(string path, CancellationToken leave, params (string Name, string Value)[] headers)
    {
        using var request = MakeRequest(HttpMethod.Get, path, headers);
        using var response = await Client.SendAsync(request, leave);
    }

    /// <summary>How many answers of a backend were read, or failed, so far.</summary>
    public async Task<int> AskedAsync(string backend) => (int?)(await GetAsync("/health/ready")).Json["backends"]![backend]!["asked"] ?? 0;

    IEnumerator<KeyValuePair<string, string>> IEnumerable<KeyValuePair<string, string>>.GetEnumerator() => _settings.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _settings.GetEnumerator();

    public override async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        await base.DisposeAsync();
        Directory.Delete(Root, recursive: true);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(Environments.Production);
        builder.UseContentRoot(Root);
        builder.UseSetting("urls", "http://127.0.0.1:0");
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureTestServices(services =>
        {
            services.RemoveAll<ILoggerProvider>().AddSingleton<ILoggerProvider>(Log);
            services.AddSingleton<IStartupFilter>(new ArrivalFilter(this));
            if (Time is not null) services.AddSingleton<TimeProvider>(Time);
        });
    }

    private HttpClient Start()
    {
        StartServer();
        var address = Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()
            .Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal);
        // Hanging up is hanging up: the rest of a body is not read in the hope of using the connection again.
        var handler = new SocketsHttpHandler
        {
            AutomaticDecompression = DecompressionMethods.None,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            MaxResponseDrainSize = 0
        };
        return new HttpClient(handler) { BaseAddress = new Uri(address), Timeout = Timeout.InfiniteTimeSpan };
    }

    private HttpRequestMessage MakeRequest(HttpMethod method, string path, (string Name, string Value)[] headers)
    {
        // The path leaves as it is written: dots, double slashes and escapes are what some walks are about.
        var request = new HttpRequestMessage(
            method, new Uri(Address + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private sealed class ArrivalFilter(ProxyHost host) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, further) =>
            {
                Interlocked.Increment(ref host._arrived);
                return further(context);
            });
            next(app);
        };
    }
}
