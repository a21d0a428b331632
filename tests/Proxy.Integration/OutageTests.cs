using System.Net;
using Xunit;

namespace Proxy.Integration;

/// <summary>Archives that stop while the proxy runs, so that connections to them are refused.</summary>
public sealed class OutageTests : IAsyncLifetime
{
    private OrthancServer _east = null!, _west = null!;
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Real.RequireOrthanc();
        _east = await OrthancServer.StartAsync("ending-east", null, Cancel);
        _west = await OrthancServer.StartAsync("ending-west", null, Cancel);
        await _east.StoreAsync(Archives.OldAxial.Instances, Cancel);
        await _west.StoreAsync(Archives.Clip.Instances.Concat(Archives.Letter.Instances), Cancel);
        _proxy = await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", _east.Address), .. ProxyProcess.Backend("west", _west.Address), .. ProxyProcess.Lasting],
            Cancel);
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(
        new IAsyncDisposable?[] { _proxy, _east, _west }.OfType<IAsyncDisposable>().Select(part => part.DisposeAsync().AsTask()));

    [Fact]
    public async Task ListsTheOtherArchive_AndNamesTheOneThatStopped()
    {
        Assert.Equal(3, (await _proxy.Client.GetJsonAsync("studies", Cancel)).Datasets.Count);
        await _west.StopAsync();

        // A new search, so that no cached result can stand in.
        var answer = await _proxy.Client.AskAsync("studies?StudyDate=20000101-20300101", DicomwebClient.Json, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(Archives.PriorCt.Uid, Assert.Single(answer.Datasets)!.Text(Tags.StudyInstanceUid));
        Assert.StartsWith("299 ", answer.Headers["Warning"], StringComparison.Ordinal);
        Assert.Contains("west", answer.Headers["Warning"], StringComparison.Ordinal);
        Assert.DoesNotContain("east", answer.Headers["Warning"], StringComparison.Ordinal);
        Assert.DoesNotContain($"{_west.Port}", answer.Headers["Warning"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task ServesCachedAnswersAndProblemsForTheRest_WhenEveryArchiveStopped()
    {
        var (clip, cached) = (Archives.Clip.Instances.Single(), await _proxy.Client.OpenAsync(Archives.Us, Cancel));
        await _east.StopAsync();
        await _west.StopAsync();

        var again = await _proxy.Client.OpenAsync(Archives.Us, Cancel);
        Assert.Equal(cached.Select(a => a.Url), again.Select(a => a.Url));
        Assert.Equal(clip.Frame(1), Assert.Single((await _proxy.Client.GetFramesAsync(clip, "1", Cancel)).Parts()));

        await AssertIsAProblemAsync("studies?StudyDate=20000101-20300101", DicomwebClient.Json);
        await AssertIsAProblemAsync($"{Archives.OldAxial.Path}/metadata", DicomwebClient.Json);
        await AssertIsAProblemAsync($"{Archives.OldAxial.Instances.First().Path}/frames/1", DicomwebClient.Frames);
        Assert.Equal(HttpStatusCode.OK, (await Answer.AskAsync(_proxy.Http, "health/live", "*/*", Cancel)).Status);
    }

    /// <summary>The problem names the archives, blames neither the user nor the proxy, and is never an empty list.</summary>
    private async Task AssertIsAProblemAsync(string path, string accept)
    {
        var answer = await _proxy.Client.AskAsync(path, accept, Cancel);
        Assert.InRange(answer.Status, HttpStatusCode.BadGateway, HttpStatusCode.GatewayTimeout);
        Assert.StartsWith("application/problem+json", answer.ContentType, StringComparison.Ordinal);
        Assert.DoesNotContain($"{_east.Port}", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain($"{_west.Port}", answer.Text, StringComparison.Ordinal);
    }
}
