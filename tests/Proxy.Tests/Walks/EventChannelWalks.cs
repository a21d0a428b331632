using System.Net;
using System.Net.WebSockets;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends.PassThrough;
using Proxy.Tests.Pacs;
using Xunit;
using Yarp.ReverseProxy.Configuration;
using Channel = Proxy.Tests.Pacs.WebSocketPacs.OpenChannel;

namespace Proxy.Tests.Walks;

/// <summary>Event channels of UPS-RS: WebSockets to a PACS with <c>Forward</c> (PS3.18 §8.10.4).</summary>
public sealed class EventChannelWalks : IAsyncLifetime
{
    private const string Root = "/backends/east/dicomweb";
    private const string Events = Root + "/ws/subscribers/AE_1";

    private readonly FakeTimeProvider _time = new();
    private readonly List<ClientWebSocket> _sockets = [];
    private WebSocketPacs _east = null!;
    private ProxyHost _proxy = null!;

    public async ValueTask InitializeAsync()
    {
        _east = await WebSocketPacs.StartAsync();
        _proxy = new(("east", _east.Address), ("west", _east.Address))
        {
            ["Backends:east:Forward"] = "true",
            ["Backends:east:MaxConcurrentRequests"] = "1",
            ["Backends:east:Authentication:Scheme"] = "Bearer",
            ["Backends:east:Authentication:Token"] = "token-1",
            ["Security:AllowedOrigins:0"] = "https://viewer.example",
        };
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets) socket.Dispose();
        await _proxy.DisposeAsync();
        await _east.DisposeAsync();
    }

    [Fact]
    public async Task CarriesMessagesInBothDirections()
    {
        var client = await OpenAsync(Events);
        var pacs = await _east.AcceptAsync();

        await pacs.SendAsync("""{"00741000":{"vr":"CS","Value":["COMPLETED"]}}""");
        await Channel.SendAsync(client, "from the client");

        Assert.Contains("COMPLETED", await Channel.ReadAsync(client));
        Assert.Equal("from the client", await pacs.ReadAsync());
    }

    /// <summary>A browser that is connected by HTTP/2 opens its WebSockets on that connection, by CONNECT.</summary>
    [Theory]
    [InlineData("http://localhost:3000", HttpStatusCode.OK)]
    [InlineData("https://evil.example", HttpStatusCode.Forbidden)]
    public async Task CarriesMessagesOverHttp2(string origin, HttpStatusCode status)
    {
        await using var proxy = new ProxyHost(("east", _east.Address))
        {
            ["Backends:east:Forward"] = "true",
            ["Kestrel:EndpointDefaults:Protocols"] = "Http2",
        };
        var client = Create([("Origin", origin)]);
        (client.Options.HttpVersion, client.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        client.Options.CollectHttpResponseDetails = true;
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        try
        {
            await client.ConnectAsync(GetUri(Events, proxy), invoker, TestContext.Current.CancellationToken);
        }
        catch (WebSocketException)
        {
            // Refused.
        }
        Assert.Equal(status, client.HttpStatusCode);
        if (status != HttpStatusCode.OK) return;

        await (await _east.AcceptAsync()).SendAsync("an event");

        Assert.Equal("an event", await Channel.ReadAsync(client));
    }

    [Fact]
    public async Task SendsThePacsItsOwnCredentialOnly()
    {
        await OpenAsync(Events, ("Cookie", "session=1"), ("Authorization", "Bearer users-own"), ("Origin", "http://localhost:3000"));
        await _east.AcceptAsync();

        var (path, headers) = Assert.Single(_east.Requests);
        Assert.Equal("/dicom-web/ws/subscribers/AE_1", path);
        Assert.Equal("Bearer token-1", headers.Authorization);
        Assert.Equal(_east.Address, $"http://{headers.Host}/dicom-web");
        Assert.Equal(0, headers.Cookie.Count);
        Assert.Equal(0, headers.Origin.Count);
    }

    [Fact]
    public async Task EndsWithEitherSide()
    {
        var first = await OpenAsync(Events);
        await (await _east.AcceptAsync()).CloseAsync();
        Assert.Null(await Channel.ReadAsync(first));

        var second = await OpenAsync(Events);
        var pacs = await _east.AcceptAsync();
        second.Abort();
        Assert.Null(await pacs.ReadAsync());
    }

    [Fact]
    public async Task EndsWhenTheProxyStops()
    {
        var client = await OpenAsync(Events);
        var pacs = await _east.AcceptAsync();

        await _proxy.DisposeAsync();

        Assert.Null(await Channel.ReadAsync(client));
        Assert.Null(await pacs.ReadAsync());
    }

    /// <summary>A browser lets every page open a WebSocket to every host: CORS does not apply.</summary>
    [Theory]
    [InlineData("https://evil.example", "")]
    [InlineData("null", "")]
    [InlineData("https://evil.example", "cross-site")]
    [InlineData("http://viewer.example", "same-site")]
    public async Task RefusesAPageOfAnotherOrigin(string origin, string site)
    {
        (string, string)[] headers = site.Length > 0 ? [("Origin", origin), ("Sec-Fetch-Site", site)] : [("Origin", origin)];

        Assert.Equal(HttpStatusCode.Forbidden, await FailAsync(Events, headers));
        Assert.Empty(_east.Requests);
    }

    [Theory]
    [InlineData("https://viewer.example", "cross-site")]
    [InlineData("http://localhost:3000", "")]
    [InlineData("{own}", "same-origin")]
    public async Task AcceptsAPageOfAnAllowedOrigin(string origin, string site)
    {
        var own = origin.Replace("{own}", _proxy.Address, StringComparison.Ordinal);

        await OpenAsync(Events, site.Length > 0 ? [("Origin", own), ("Sec-Fetch-Site", site)] : [("Origin", own)]);

        Assert.Single(_east.Requests);
    }

    [Theory]
    [InlineData("/backends/west/dicomweb/ws/subscribers/AE_1", HttpStatusCode.NotFound)]
    [InlineData("/dicomweb/ws/subscribers/AE_1", HttpStatusCode.NotFound)]
    [InlineData(Root + "/ws/other/AE_1", HttpStatusCode.NotFound)]
    [InlineData(Root + "/studies", HttpStatusCode.OK)]
    [InlineData(Root + "/workitems", HttpStatusCode.OK)]
    public async Task OpensNoChannel_AtAnotherAddress(string path, HttpStatusCode status)
    {
        Assert.Equal(status, await FailAsync(path));
        Assert.DoesNotContain(_east.Requests, r => r.Headers.Upgrade.Count > 0);
    }

    [Fact]
    public async Task Returns426_WhenTheRequestIsNoHandshake()
    {
        var reply = await _proxy.GetAsync(Events);

        reply.IsProblem(426, names: "websocket");
        Assert.Equal("websocket", reply["Upgrade"]);
        Assert.Empty(_east.Requests);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(503)]
    public async Task PassesOnTheRefusalOfThePacs(int status)
    {
        _east.Refusal = status;

        Assert.Equal(status, (int)await FailAsync(Events));
    }

    /// <summary>One permit in all: an open channel holds none, and does not hold prefetching back.</summary>
    [Fact]
    public async Task LeavesRoomForOtherRequests_WhileItIsOpen()
    {
        await OpenAsync(Events);
        await _east.AcceptAsync();
        await OpenAsync(Events);

        Assert.Equal(200, (int)(await _proxy.GetAsync(Root + "/workitems")).Status);
        await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.1"],"priority":"now"}""");
        await Until.TrueAsync(async () =>
            (string?)(await _proxy.GetAsync("/prefetch")).Json.AsArray()[0]!["state"] is "done" or "failed");
    }

    [Fact]
    public async Task CountsTheHandshakeAsAnAnswer_AndNotTheEnd()
    {
        await OpenAsync(Events);
        var pacs = await _east.AcceptAsync();
        Assert.Equal(1, await _proxy.AskedAsync("east"));

        pacs.Abort();
        Assert.Null(await Channel.ReadAsync(_sockets[0]));

        var health = (await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!;
        Assert.Equal("up", (string)health["state"]!);
        Assert.Equal(0, (int)health["failed"]!);
    }

    [Fact]
    public async Task Returns504_WhenThePacsDoesNotAnswerTheHandshake()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = _time, ["Backends:east:Forward"] = "true" };
        _east.Handshakes = new Gate();
        var opening = FailAsync(Events, proxy);
        await Until.TrueAsync(() => _east.Requests.Count == 1);

        _time.Advance(TimeSpan.FromSeconds(31));

        Assert.Equal(HttpStatusCode.GatewayTimeout, await opening);
    }

    [Fact]
    public async Task RefusesOneChannelTooMany()
    {
        for (var i = 0; i < EventChannels.MaxPerBackend; i++) await OpenAsync(Events);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await FailAsync(Events));
        _sockets[0].Abort();
        await Until.TrueAsync(async () => await FailAsync(Events) == HttpStatusCode.SwitchingProtocols);
    }

    [Fact]
    public async Task RewritesTheAddressOfTheChannel()
    {
        var reply = await _proxy.SendAsync(HttpMethod.Post, Root + "/workitems/1.2.3/subscribers/AE_1", []);

        Assert.Equal(201, (int)reply.Status);
        Assert.Equal($"{_proxy.Address}{Events}".Replace("http://", "ws://", StringComparison.Ordinal), reply["Content-Location"]);
    }

    [Theory]
    [InlineData(null, "00:10:00")]
    [InlineData("00:01:40", "00:10:00")]
    [InlineData("01:00:00", "01:00:00")]
    public void AnIdleChannelHasItsOwnTimeout(string? configured, string expected)
    {
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        var cluster = new ClusterConfig
        {
            HttpRequest = configured is null ? null : new() { ActivityTimeout = TimeSpan.Parse(configured, culture) },
        };

        Assert.Equal(TimeSpan.Parse(expected, culture), EventChannels.WithIdleTimeout(cluster).HttpRequest!.ActivityTimeout);
    }

    private async Task<ClientWebSocket> OpenAsync(string path, params (string Name, string Value)[] headers)
    {
        var socket = Create(headers);
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        await socket.ConnectAsync(GetUri(path, _proxy), stop.Token);
        return socket;
    }

    /// <summary>The status of a handshake; 101 when it succeeds.</summary>
    private Task<HttpStatusCode> FailAsync(string path, params (string Name, string Value)[] headers) =>
        FailAsync(path, _proxy, headers);

    private async Task<HttpStatusCode> FailAsync(string path, ProxyHost proxy, params (string Name, string Value)[] headers)
    {
        var socket = Create(headers);
        socket.Options.CollectHttpResponseDetails = true;
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        try
        {
            await socket.ConnectAsync(GetUri(path, proxy), stop.Token);
        }
        catch (WebSocketException)
        {
            // The proxy or the PACS refused.
        }
        return socket.HttpStatusCode;
    }

    private ClientWebSocket Create((string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.Proxy = null;
        foreach (var (name, value) in headers) socket.Options.SetRequestHeader(name, value);
        _sockets.Add(socket);
        return socket;
    }

    private static Uri GetUri(string path, ProxyHost proxy) =>
        new(proxy.Address.Replace("http://", "ws://", StringComparison.Ordinal) + path);
}
