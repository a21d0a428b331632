using Proxy.Dimse.Protocol;
using Proxy.Tests.Dimse;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A PACS without C-GET sends its instances by C-MOVE to the proxy, which receives nothing else.</summary>
public sealed class MoveWalks : IAsyncDisposable
{
    private const string Series = $"/dicomweb/studies/{DimsePacs.Study}/series/{DimsePacs.Series}";

    private readonly int _port = FreePort.Next();
    private readonly DimsePacs _pacs = new() { SupportsGet = false };
    private readonly ProxyHost _proxy = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public MoveWalks()
    {
        foreach (var (key, value) in _pacs.Settings()) _proxy[key] = value;
        _proxy["Backends:east:Listen"] = $"127.0.0.1:{_port}";
        _pacs.MovesTo = _port;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _pacs.DisposeAsync();
    }

    [Theory]
    [InlineData("Auto", true)]
    [InlineData("Move", true)]
    [InlineData("Auto", false)]
    public async Task RetrievesByCMove(string retrieve, bool sendsOriginator)
    {
        (_proxy["Backends:east:Retrieve"], _pacs.SendsOriginator) = (retrieve, sendsOriginator);

        var metadata = await _proxy.GetAsync(Series + "/metadata");
        var frame = await _proxy.GetAsync(
            $"{Series}/instances/{_pacs.Instances[2]}/frames/1", ("Accept", "application/octet-stream; transfer-syntax=*"));

        Assert.Equal(_pacs.Instances, metadata.Values("00080018"));
        Assert.Equal(200, (int)frame.Status);
        Assert.Equal(new ushort[] { 0, 0, 0 }, _pacs.Stored);
        Assert.Equal(1, _pacs.Moves);
    }

    [Fact]
    public async Task RefusesInstances_ThatWereNotRequested()
    {
        _pacs.Sends = (asked, _) => ["1.9.9", .. asked, asked[0]];

        Assert.Equal(_pacs.Instances, (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
        // The second delivery of the same instance is accepted, and discarded.
        Assert.Equal(new ushort[] { DimseStatus.NotAuthorized, 0, 0, 0, 0 }, _pacs.Stored);
    }

    [Fact]
    public async Task RejectsAssociations_WhileNoMoveRuns_AndFromOtherAeTitles()
    {
        await _proxy.GetAsync(Series + "/metadata");
        var idle = await Assert.ThrowsAsync<AssociationException>(() => StoringPeer.ConnectAsync("PACS", _port, Cancel));
        _pacs.Sends = (asked, _) =>
        {
            var other = Assert.Throws<AggregateException>(() => StoringPeer.ConnectAsync("OTHER", _port, Cancel).Result);
            Assert.Equal((byte)3, Assert.IsType<AssociationException>(other.InnerException).Rejection!.Value.Reason);
            return asked;
        };

        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        var reply = await _proxy.GetAsync(Series + "/metadata");

        Assert.Equal((byte)3, idle.Rejection!.Value.Reason);
        Assert.Equal(_pacs.Instances, reply.Values("00080018"));
        Assert.Equal(2, _pacs.Moves);
    }

    [Fact]
    public async Task AcceptsNothingButStorage()
    {
        var mayFind = true;
        _pacs.Sends = (asked, _) =>
        {
            var peer = StoringPeer.ConnectAsync("PACS", _port, Cancel).Result;
            mayFind = peer.MayFind;
            peer.DisposeAsync().AsTask().Wait(Cancel);
            return asked;
        };

        Assert.Equal(200, (int)(await _proxy.GetAsync(Series + "/metadata")).Status);
        Assert.False(mayFind);
    }

    [Fact]
    public async Task SaysThatThePacsDoesNotKnowTheDestination()
    {
        _pacs.MovesTo = null;

        var report = await _proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);
        var reply = await _proxy.GetAsync(Series + "/metadata");

        Assert.Contains("does not know the move destination (status A801)", report.Text);
        Assert.Contains("Add the AE title PROXY to the PACS as a destination of C-MOVE", report.Text);
        Assert.Contains("A801", reply.Text);
        Assert.InRange((int)reply.Status, 500, 504);
    }

    [Fact]
    public async Task SaysThatNothingIsRetrieved_WithoutAnAddressToListenAt()
    {
        _proxy["Backends:east:Listen"] = null;

        var report = await _proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);
        var reply = await _proxy.GetAsync(Series + "/metadata");

        Assert.Contains("set Backends:east:Listen for C-MOVE", report.Text);
        Assert.InRange((int)reply.Status, 500, 504);
        Assert.Equal(0, _pacs.Moves);
    }
}
