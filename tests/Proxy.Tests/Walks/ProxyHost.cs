using System.Collections;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Identity;
using Proxy.Operations;
using Proxy.Tests.Identity;
using Proxy.Tests.Pacs;

namespace Proxy.Tests.Walks;

/// <summary>The real product in this process, on a free loopback port; it starts at the first request.</summary>
/// <example><c>await using var proxy = new ProxyHost { ["Backends:east:Address"] = east.Address };</c></example>
public sealed class ProxyHost : WebApplicationFactory<Program>, IEnumerable<KeyValuePair<string, string>>
{
    /// <summary>
    /// Prefetching and the test at the start are off by default: most tests count the requests to a PACS. A search waits for its PACS as
    /// long as a test does: a machine that stands still for some seconds must not change its result.
    /// </summary>
    private readonly Dictionary<string, string> _settings = new()
    {
        ["hostBuilder:reloadConfigOnChange"] = "false",
        ["Startup:TestBackends"] = "false",
        ["Startup:WarmUp"] = "false",
        ["Prefetch:NextStudies"] = "0",
        ["Prefetch:Priors"] = "0",
        ["Prefetch:SeriesReadAhead"] = "false",
        ["Search:Deadline"] = Until.Patience.ToString(),
    };
    private readonly Lock _starting = new();
    private HttpClient? _client;
    private EntryCache? _cache;
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

    /// <summary>The working folder: without <c>appsettings.json</c>, and with a <c>config</c> folder only if a test creates it.</summary>
    public string Root { get; }

    /// <summary>The clock of the product; null for the system clock.</summary>
    public FakeTimeProvider? Time { get; init; }

    /// <summary>Whose tokens authenticate the users (<see cref="As"/>); null if users do not authenticate.</summary>
    public TestIssuer? Issuer { get; init; }

    /// <summary>Which of several listeners the requests of the test go to; null if there is one.</summary>
    public string? StartsAt { get; init; }

    public LogLines Log { get; } = new();

    /// <summary>Says who sends a request, in place of an authentication; null for the product's own.</summary>
    public Func<HttpRequest, Caller>? Identify { get; init; }

    /// <summary>The number of requests that reached the proxy.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Scheme, host and port, such as <c>http://127.0.0.1:40123</c>.</summary>
    public string Address => Client.BaseAddress!.GetLeftPart(UriPartial.Authority);

    /// <summary>Sets a setting; null leaves it to the files of the test.</summary>
    public string? this[string setting]
    {
        set
        {
            if (value is null) _settings.Remove(setting);
            else _settings[setting] = value;
        }
    }

    private HttpClient Client
    {
        get
        {
            lock (_starting) return _client ??= Start();
        }
    }

    /// <summary>A user of <see cref="Issuer"/> with a token of their own, which has these values in its roles claim.</summary>
    public ProxyUser As(string user, params IEnumerable<string> groups) => new(this, Issuer!.Issue(user, groups));

    /// <summary>A user with this token.</summary>
    public ProxyUser With(string token) => new(this, token);

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
        return await SendAsync(request, stop.Token);
    }

    /// <summary>Sends a body; a content without a length is sent in chunks.</summary>
    public async Task<Reply> PostAsync(string path, HttpContent body, params (string Name, string Value)[] headers)
    {
        using var request = MakeRequest(HttpMethod.Post, path, headers);
        request.Content = body;
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        return await SendAsync(request, stop.Token);
    }

    /// <summary>Sends a request byte for byte, which must ask to close the connection, and returns the whole raw answer.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        using var client = new TcpClient(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, new Uri(Address).Port, stop.Token);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request), stop.Token);
        using var answer = new StreamReader(client.GetStream(), Encoding.Latin1);
        return await answer.ReadToEndAsync(stop.Token);
    }

    /// <summary>Reads the head only; the body streams. Disposing of the answer closes the connection.</summary>
    public async Task<HttpResponseMessage> OpenAsync(string path, params (string Name, string Value)[] headers)
    {
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        return await Client.SendAsync(MakeRequest(HttpMethod.Get, path, headers), HttpCompletionOption.ResponseHeadersRead, stop.Token);
    }

    /// <summary>A request whose client disconnects when the token is cancelled.</summary>
    public async Task GetAsync(string path, CancellationToken disconnect, params (string Name, string Value)[] headers)
    {
        using var request = MakeRequest(HttpMethod.Get, path, headers);
        using var response = await Client.SendAsync(request, disconnect);
    }

    /// <summary>The number of answers and failures of a backend so far.</summary>
    public async Task<int> AskedAsync(string backend) => (int?)(await GetAsync("/health/ready")).Json["backends"]![backend]!["asked"] ?? 0;

    IEnumerator<KeyValuePair<string, string>> IEnumerable<KeyValuePair<string, string>>.GetEnumerator() => _settings.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _settings.GetEnumerator();

    public override async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        await base.DisposeAsync();
        await Until.DeletedAsync(Root);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(Environments.Production);
        builder.UseContentRoot(Root);
        builder.UseSetting("urls", "http://127.0.0.1:0");
        if (Issuer is not null) Authenticate(builder, Issuer);
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureTestServices(services =>
        {
            services.RemoveAll<ILoggerProvider>().AddSingleton<ILoggerProvider>(Log)
                .AddSingleton<ILoggerProvider>(s => s.GetRequiredService<RecentWarnings>());
            services.AddSingleton<IStartupFilter>(new ArrivalFilter(this));
            if (Time is not null) services.AddSingleton<TimeProvider>(Time);
        });
    }

    /// <summary>Settings for the tokens of an issuer, whose keys are in a file; those of the test override them.</summary>
    private void Authenticate(IWebHostBuilder builder, TestIssuer issuer)
    {
        var keys = Path.Combine(Root, "jwks.json");
        File.WriteAllText(keys, issuer.KeySet);
        builder.UseSetting("Security:Authentication", "Jwt").UseSetting("Security:Jwt:JwksFile", keys)
            .UseSetting("Security:Jwt:Issuer", issuer.Name).UseSetting("Security:Jwt:Audience", TestIssuer.Audience);
    }

    private HttpClient Start()
    {
        StartServer();
        _cache = Services.GetRequiredService<EntryCache>();
        var address = Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .First(a => StartsAt is null || a == StartsAt)
            .Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal);
        // A client that disconnects must not drain the rest of a body to reuse the connection.
        var handler = new SocketsHttpHandler
        {
            AutomaticDecompression = DecompressionMethods.None,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            MaxResponseDrainSize = 0,
            SslOptions = { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
        };
        return new HttpClient(handler) { BaseAddress = new Uri(address), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>
    /// Sends a request and reads the answer. A client has the last byte of a body a moment before the proxy has verified and cached it:
    /// a test goes on when that is done, too.
    /// </summary>
    private async Task<Reply> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellation);
            var reply = await Reply.ReadAsync(response);
            await Until.TrueAsync(() => !_cache!.IsStoring);
            return reply;
        }
        catch (HttpRequestException e) when (e.InnerException is IOException or SocketException)
        {
            throw new HttpRequestException($"{e.Message} The proxy logged: {string.Join('\n', Log.All.TakeLast(20))}", e);
        }
    }

    private HttpRequestMessage MakeRequest(HttpMethod method, string path, (string Name, string Value)[] headers)
    {
        // Send the path unchanged: some tests are about dots, double slashes and escapes.
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
                if (host.Identify is { } identify) context.SetCaller(identify(context.Request));
                return further(context);
            });
            next(app);
        };
    }
}
