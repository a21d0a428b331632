using Xunit;

namespace Proxy.Integration;

/// <summary>Changes in an archive: the proxy serves them when its cached answers are no longer fresh.</summary>
public sealed class ChangeTests(Lab lab) : IAsyncLifetime
{
    private Pair _pair = null!;
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _pair = await lab.GetPairAsync(Cancel);
        _proxy = await _pair.GetProxyAsync(Cancel);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task ServesNewInstances_WhenAStudyGrows()
    {
        var series = Overlap.Growing;
        var (first, added) = (series.Instances.Take(Overlap.BeforeGrowing), series.Instances.Skip(Overlap.BeforeGrowing));
        await _proxy.Client.AssertStudyRowAsync(series.Study, series: 1, instances: Overlap.BeforeGrowing, Cancel);
        await _proxy.Client.AssertSeriesRowsAsync(series.Study, [(series, Overlap.BeforeGrowing)], Cancel);
        await _proxy.Client.AssertMetadataAsync(series, first, Cancel);
        await _proxy.Client.AssertFramesAsync(first, Cancel);

        await _pair.East.StoreAsync(added, Cancel);
        await Until.PassesAsync(() => _proxy.Client.AssertMetadataAsync(series, series.Instances, Cancel), Cancel);
        await Until.PassesAsync(() => _proxy.Client.AssertSeriesRowsAsync(series.Study, [(series, series.Count)], Cancel), Cancel);
        await Until.PassesAsync(() => _proxy.Client.AssertStudyRowAsync(series.Study, series: 1, instances: series.Count, Cancel), Cancel);
        await _proxy.Client.AssertFramesAsync(series.Instances, Cancel);
    }

    [Fact]
    public async Task RemovesASeries_WhenTheArchiveDeletesIt()
    {
        await OpenAsync(Overlap.Doomed);
        await _pair.East.DeleteAsync(Overlap.Doomed, Cancel);

        await Until.PassesAsync(
            () => _proxy.Client.AssertNotFoundAsync($"{Overlap.Doomed.Path}/metadata", DicomwebClient.Json, Cancel), Cancel);
        await AssertFramesAreGoneAsync(Overlap.Doomed);
        var rows = (await _proxy.Client.GetJsonAsync($"studies/{Overlap.Cleared.Uid}/series", Cancel)).Datasets.By(Tags.SeriesInstanceUid);
        Assert.DoesNotContain(Overlap.Doomed.Uid, rows.Keys);
        Assert.Contains(Overlap.Staying.Uid, rows.Keys);
        await OpenAsync(Overlap.Staying);
    }

    [Fact]
    public async Task RemovesADeletedSeries_WhenOnlyItsFramesAreRequested()
    {
        await OpenAsync(Overlap.Lost);
        await _pair.East.DeleteAsync(Overlap.Lost, Cancel);
        await Until.PassesAsync(() => AssertFramesAreGoneAsync(Overlap.Lost), Cancel);
    }

    /// <summary>The number and the UIDs of the instances do not change.</summary>
    [Fact]
    public async Task ServesACorrectedName()
    {
        await OpenAsync(Overlap.Misnamed);
        await AssertMetadataIsOfAsync(Archives.Sahin.Name);
        await AssertRowsAreOfAsync(Archives.Sahin.Name);

        await _pair.East.StoreAsync(Overlap.Renamed.Instances, Cancel);
        await Until.PassesAsync(() => AssertMetadataIsOfAsync(Overlap.RightName), Cancel);
        await Until.PassesAsync(() => AssertRowsAreOfAsync(Overlap.RightName), Cancel);
        await _proxy.Client.AssertFramesAsync(Overlap.Renamed.Instances, Cancel);
    }

    private async Task OpenAsync(Series series)
    {
        await _proxy.Client.AssertMetadataAsync(series, series.Instances, Cancel);
        await _proxy.Client.AssertFramesAsync(series.Instances, Cancel);
    }

    private async Task AssertFramesAreGoneAsync(Series series)
    {
        foreach (var instance in series.Instances)
            await _proxy.Client.AssertNotFoundAsync($"{instance.Path}/frames/1", DicomwebClient.Frames, Cancel);
    }

    private async Task AssertMetadataIsOfAsync(string name)
    {
        var answer = await _proxy.Client.AssertMetadataAsync(Overlap.Misnamed, Overlap.Misnamed.Instances, Cancel);
        Assert.All(answer.Datasets, dataset => Assert.Equal(name, dataset!.Name(Tags.PatientName)));
    }

    /// <summary>Searches by UID: Orthanc returns the corrected name in its rows, but matches the study by its first name.</summary>
    private async Task AssertRowsAreOfAsync(string name)
    {
        foreach (var path in new[] { "studies", $"studies?StudyInstanceUID={Overlap.Corrected.Uid}" })
        {
            var row = (await _proxy.Client.GetJsonAsync(path, Cancel)).Datasets.By(Tags.StudyInstanceUid)[Overlap.Corrected.Uid];
            Assert.Equal(name, row.Name(Tags.PatientName));
        }
    }
}
