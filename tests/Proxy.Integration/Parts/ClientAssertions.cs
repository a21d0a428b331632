using System.Net;
using Xunit;

namespace Proxy.Integration;

/// <summary>Assertions on a client's view; a failure shows the actual answer.</summary>
public static class ClientAssertions
{
    /// <summary>The metadata of the series has exactly these instances. Returns the answer for further checks.</summary>
    public static async Task<Answer> AssertMetadataAsync(
        this DicomwebClient client, Series series, IEnumerable<Instance> instances, CancellationToken cancellationToken)
    {
        var answer = await client.GetMetadataAsync(series, cancellationToken);
        Assert.Equal(
            instances.Select(i => i.Uid).Order(StringComparer.Ordinal),
            answer.Datasets.Select(d => d!.Text(Tags.SopInstanceUid)!).Order(StringComparer.Ordinal));
        return answer;
    }

    /// <summary>Every frame equals the stored one.</summary>
    public static async Task AssertFramesAsync(
        this DicomwebClient client, IEnumerable<Instance> instances, CancellationToken cancellationToken)
    {
        foreach (var instance in instances)
            Assert.Equal(instance.Frame(1), Assert.Single((await client.GetFramesAsync(instance, "1", cancellationToken)).Parts()));
    }

    /// <summary>The work list, and a search for the study alone, have these numbers of series and instances.</summary>
    public static async Task AssertStudyRowAsync(
        this DicomwebClient client, Study study, int series, int instances, CancellationToken cancellationToken)
    {
        foreach (var path in new[] { "studies", $"studies?StudyInstanceUID={study.Uid}" })
        {
            var row = (await client.GetJsonAsync(path, cancellationToken)).Datasets.By(Tags.StudyInstanceUid)[study.Uid];
            Assert.Equal(
                ($"{series}", $"{instances}"),
                (row.Text(Tags.NumberOfStudyRelatedSeries), row.Text(Tags.NumberOfStudyRelatedInstances)));
        }
    }

    /// <summary>The study lists exactly these series, each with this number of instances.</summary>
    public static async Task AssertSeriesRowsAsync(
        this DicomwebClient client, Study study, IEnumerable<(Series Series, int Count)> series, CancellationToken cancellationToken)
    {
        var rows = (await client.GetJsonAsync($"studies/{study.Uid}/series", cancellationToken)).Datasets;
        Assert.Equal(
            series.Select(s => (s.Series.Uid, $"{s.Count}")).Order(),
            rows.Select(r => (r!.Text(Tags.SeriesInstanceUid)!, r!.Text(Tags.NumberOfSeriesRelatedInstances)!)).Order());
    }

    public static async Task AssertNotFoundAsync(
        this DicomwebClient client, string path, string accept, CancellationToken cancellationToken) =>
        Assert.Equal(HttpStatusCode.NotFound, (await client.AskAsync(path, accept, cancellationToken)).Status);
}
