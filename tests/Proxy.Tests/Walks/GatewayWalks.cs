using System.Net;
using System.Net.Sockets;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Users who are named in a header by an authenticating gateway.</summary>
public sealed class GatewayWalks(GatewayWalks.OneProxy fixture) : IClassFixture<GatewayWalks.OneProxy>
{
    private readonly ProxyHost _proxy = fixture.Proxy;

    /// <summary>A proxy behind a gateway at 127.0.0.1.</summary>
    public sealed class OneProxy : IAsyncDisposable
    {
        public ProxyHost Proxy { get; } = new(("east", "http://127.0.0.1:1/dicom-web"))
        {
            ["Security:Authentication"] = "Header",
            ["Security:KnownProxies:0"] = "127.0.0.1",
            ["Security:Roles:operator:0"] = "pacs admins",
        };

        public ValueTask DisposeAsync() => Proxy.DisposeAsync();
    }

    [Fact]
    public async Task TakesUserAndGroups_FromTheGateway()
    {
        var reply = await _proxy.GetAsync(
            "/caller", ("X-Forwarded-User", "anna"), ("X-Forwarded-Groups", "cardio, pacs admins"), ("X-Forwarded-For", "10.1.2.3"));

        Assert.Equal(
            """{"name":"anna","roles":["viewer","operator"],"authentication":"Header","expires":null}""", reply.Text);
    }

    [Fact]
    public async Task RefusesTheRequest_WhenTheGatewayNamesNoUser_OrTwo()
    {
        (await _proxy.GetAsync("/caller")).IsProblem(401);
        (await _proxy.GetAsync("/caller", ("X-Forwarded-User", ""))).IsProblem(401);
        (await _proxy.GetAsync("/caller", ("X-Forwarded-User", "olga"), ("X-Forwarded-User", "anna"))).IsProblem(401);
        (await _proxy.GetAsync("/caller", ("Authorization", "Bearer x"))).IsProblem(401);
    }

    [Fact]
    public async Task RefusesTheHeader_WhenAnyoneElseSendsIt()
    {
        using var stranger = Connect(from: "127.0.0.2");
        // The client cannot name the gateway as its address either.
        stranger.DefaultRequestHeaders.Add("X-Forwarded-User", "olga");
        stranger.DefaultRequestHeaders.Add("X-Forwarded-For", "127.0.0.1");

        using var answer = await stranger.GetAsync(new Uri(_proxy.Address + "/caller"), TestContext.Current.CancellationToken);

        Assert.Equal(401, (int)answer.StatusCode);
    }

    [Theory]
    [InlineData("http://127.0.0.1:8099")]
    [InlineData("no address")]
    public async Task RefusesToStart_WhenTheListenerIsNoneOfIts(string listener)
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web"))
        {
            ["Security:Authentication"] = "Header",
            ["Security:KnownProxies:0"] = "127.0.0.1",
            ["Security:Header:Listener"] = listener,
        };

        await Assert.ThrowsAnyAsync<Exception>(() => proxy.GetAsync("/caller"));
    }

    [Fact]
    public async Task RefusesTheHeader_OnAnotherListener()
    {
        var (named, other) = (FreePort.Next(), FreePort.Next());
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web"))
        {
            ["Security:Authentication"] = "Header",
            ["Security:KnownProxies:0"] = "127.0.0.1",
            ["Security:Header:User"] = "Remote-User",
            ["urls"] = $"http://127.0.0.1:{named};http://127.0.0.1:{other}",
            ["Security:Header:Listener"] = $"http://127.0.0.1:{named}",
            StartsAt = $"http://127.0.0.1:{named}",
        };
        using var client = Connect(from: "127.0.0.1");
        client.DefaultRequestHeaders.Add("Remote-User", "anna");

        var reply = await proxy.GetAsync("/caller", ("Remote-User", "anna"));
        using var refused = await client.GetAsync(new Uri($"http://127.0.0.1:{other}/caller"), TestContext.Current.CancellationToken);

        Assert.Equal("anna", (string?)reply.Json["name"]);
        Assert.Equal(401, (int)refused.StatusCode);
    }

    private static HttpClient Connect(string from) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (context, cancellation) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });
}
