using Xunit;

namespace Proxy.Integration;

/// <summary>The archive that owns a series stops and comes back.</summary>
public sealed class ReturnTests(Lab lab) : IAsyncLifetime
{
    private Pair _pair = null!;
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static IEnumerable<Instance> InWest => Overlap.Begun.Instances.Take(Overlap.InWest);

    public async ValueTask InitializeAsync()
    {
        _pair = await lab.GetPairAsync(Cancel);
        _proxy = await _pair.StartProxyAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await _proxy.DisposeAsync();
        if (_pair is not null)
            await _pair.RecoverAsync(Cancel);
    }

    [Fact]
    public async Task MovesASeriesToItsOtherHolder_AndBackWhenItsOwnerReturns()
    {
        await _pair.East.StopAsync();
        await AssertIsLeftOutAsync("east");
        await _proxy.Client.AssertStudyRowAsync(Overlap.Split, series: 2, instances: 4 + 3, Cancel);
        var moved = await _proxy.Client.AssertMetadataAsync(Overlap.Begun, InWest, Cancel);
        AssertIsNotStale(moved);
        await _proxy.Client.AssertFramesAsync(InWest, Cancel);

        await _pair.East.StartAgainAsync(Cancel);
        await Until.PassesAsync(AssertIsWholeAsync, Cancel);
        await Until.PassesAsync(() => _proxy.Client.AssertMetadataAsync(Overlap.Begun, Overlap.Begun.Instances, Cancel), Cancel);
        await Until.PassesAsync(() => _proxy.Client.AssertStudyRowAsync(Overlap.Split, series: 3, instances: 6 + 2 + 3, Cancel), Cancel);
        await _proxy.Client.AssertFramesAsync(Overlap.Begun.Instances, Cancel);
    }

    [Fact]
    public async Task ServesStaleMetadataOfTheOwner_OnlyWhenNoHolderIsLeft()
    {
        var alone = await _proxy.Client.AssertMetadataAsync(Overlap.OnlyEast, Overlap.OnlyEast.Instances, Cancel);
        await _proxy.Client.AssertMetadataAsync(Overlap.Begun, Overlap.Begun.Instances, Cancel);
        await _proxy.Client.AssertFramesAsync(Overlap.Begun.Instances, Cancel);
        await _pair.East.StopAsync();

        await Until.PassesAsync(() => AssertIsServedStaleAsync(Overlap.OnlyEast, alone, "east"), Cancel);
        await Until.PassesAsync(
            async () => AssertIsNotStale(await _proxy.Client.AssertMetadataAsync(Overlap.Begun, InWest, Cancel)), Cancel);

        // The series has moved to the west: the proxy serves the west's metadata, though the east's had more instances.
        var moved = await _proxy.Client.GetMetadataAsync(Overlap.Begun, Cancel);
        await _pair.West.StopAsync();
        await Until.PassesAsync(() => AssertIsServedStaleAsync(Overlap.Begun, moved, "west"), Cancel);
        await AssertIsServedStaleAsync(Overlap.Begun, moved, "east");
        await _proxy.Client.AssertFramesAsync(Overlap.Begun.Instances, Cancel);
    }

    /// <summary>A search leaves the archive out and names it, in a warning and in a header.</summary>
    private async Task AssertIsLeftOutAsync(string archive)
    {
        var answer = await _proxy.Client.GetJsonAsync("studies", Cancel);
        Assert.Equal(
            new[] { Overlap.Split.Uid, Overlap.WestPrior.Uid },
            answer.Datasets.Select(r => r!.Text(Tags.StudyInstanceUid)!));
        Assert.Contains(archive, answer.Headers["Warning"], StringComparison.Ordinal);
        Assert.Equal(archive, answer.Headers["X-Failed-Backends"]);
    }

    private async Task AssertIsWholeAsync()
    {
        var answer = await _proxy.Client.GetJsonAsync("studies", Cancel);
        Assert.Contains(Overlap.EastPrior.Uid, answer.Datasets.Select(r => r!.Text(Tags.StudyInstanceUid)));
        Assert.DoesNotContain("Warning", answer.Headers.Keys);
        Assert.DoesNotContain("X-Failed-Backends", answer.Headers.Keys);
    }

    private async Task AssertIsServedStaleAsync(Series series, Answer cached, string archive)
    {
        var answer = await _proxy.Client.GetMetadataAsync(series, Cancel);
        Assert.Equal("Proxy; fwd=stale", answer.CacheStatus);
        Assert.Contains(archive, answer.Headers["Warning"], StringComparison.Ordinal);
        Assert.Equal(cached.Text, answer.Text);
    }

    private static void AssertIsNotStale(Answer answer) => Assert.DoesNotContain("stale", answer.CacheStatus, StringComparison.Ordinal);
}
