using Xunit;

namespace Proxy.Integration;

/// <summary>Two archives with different parts of a study: each series comes completely from the archive with more instances.</summary>
public sealed class FederationTests(Lab lab) : IAsyncLifetime
{
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _proxy = await (await lab.GetPairAsync(Cancel)).GetProxyAsync(Cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task CountsASeriesOnce_WithTheInstancesOfItsOwner()
    {
        await _proxy.Client.AssertStudyRowAsync(Overlap.Split, series: 3, instances: 6 + 2 + 3, Cancel);
        await _proxy.Client.AssertSeriesRowsAsync(
            Overlap.Split, [(Overlap.Begun, 6), (Overlap.OnlyEast, 2), (Overlap.OnlyWest, 3)], Cancel);
    }

    [Fact]
    public async Task ServesAWholeSeries_FromTheArchiveWithMoreInstances()
    {
        foreach (var series in new[] { Overlap.Begun, Overlap.OnlyEast, Overlap.OnlyWest })
        {
            await _proxy.Client.AssertMetadataAsync(series, series.Instances, Cancel);
            await _proxy.Client.AssertFramesAsync(series.Instances, Cancel);
        }

        Assert.Equal(6 + 2 + 3, (await _proxy.Client.GetJsonAsync($"studies/{Overlap.Split.Uid}/metadata", Cancel)).Datasets.Count);
    }

    [Fact]
    public async Task ListsTheInstances_OfTheArchiveWithMoreInstances()
    {
        foreach (var path in new[] { $"{Overlap.Begun.Path}/instances",
            $"studies/{Overlap.Split.Uid}/instances?SeriesInstanceUID={Overlap.Begun.Uid}" })
        {
            var rows = (await _proxy.Client.GetJsonAsync(path, Cancel)).Datasets.By(Tags.SopInstanceUid);
            Assert.Equal(Overlap.Begun.Instances.Select(i => i.Uid).Order(StringComparer.Ordinal), rows.Keys.Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task FindsThePriorsOfBothArchives()
    {
        var rows = (await _proxy.Client.GetJsonAsync(
            $"studies?00100020={Archives.Adler.Id}&limit=101&offset=0&fuzzymatching=false", Cancel)).Datasets;
        Assert.Equal(
            [Overlap.Split.Uid, Overlap.EastPrior.Uid, Overlap.WestPrior.Uid],
            rows.Select(r => r!.Text(Tags.StudyInstanceUid)));
        foreach (var prior in new[] { Overlap.OldEast, Overlap.OldWest })
        {
            await _proxy.Client.AssertMetadataAsync(prior, prior.Instances, Cancel);
            await _proxy.Client.AssertFramesAsync(prior.Instances, Cancel);
        }
    }
}
