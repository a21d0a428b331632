using Xunit;

namespace Proxy.Integration;

/// <summary>Which requests reach an archive, counted on the wires.</summary>
public sealed class CacheTests(Lab lab)
{
    /// <summary>A browser has six connections to the proxy; the proxy needs at most a small multiple of that to both archives.</summary>
    private const int MaxConnections = 16;

    private static readonly Study[] Opened = [Archives.Ct, Archives.Shared, Archives.Us];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AsksTheArchivesNothing_WhenAStudyIsOpenedAgain()
    {
        await using var proxy = await lab.StartProxyAsync(Cancel, ProxyProcess.NoPrefetch);
        var first = await OpenAllAsync(proxy);
        var watch = lab.Watch();
        var second = await OpenAllAsync(proxy);

        Assert.Empty(watch.Asked);
        foreach (var (before, after) in first.Zip(second))
        {
            Assert.Equal(before.Url, after.Url);
            Assert.True(IsHit(after), $"{after.Url} says Cache-Status: {after.CacheStatus}");
            AssertSameContent(before, after);
        }
    }

    [Fact]
    public async Task ReportsForwardingAndReusesConnections_WhenOrthancAnnouncesAShortKeepAlive()
    {
        await using var proxy = await lab.StartProxyAsync(Cancel, ProxyProcess.NoPrefetch);
        var watch = lab.Watch();
        var frames = (await proxy.Client.OpenAsync(Archives.Ct, Cancel)).Where(answer => IsFrame(answer.Url));
        Assert.All(frames, answer => Assert.Contains("fwd=", answer.CacheStatus, StringComparison.Ordinal));
        Assert.InRange(watch.Asked.Count, Archives.Axial.Count, 2 * Archives.Axial.Count);
        Assert.InRange(watch.Connections, 1, MaxConnections);
    }

    [Fact]
    public async Task AsksTheArchiveOnce_WhenManyClientsAskAtOnce()
    {
        await using var proxy = await lab.StartProxyAsync(Cancel, ProxyProcess.NoPrefetch);
        var instance = Archives.Chest.Instances.Single();
        await proxy.Client.GetMetadataAsync(Archives.Chest, Cancel);
        var watch = lab.Watch();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => proxy.Client.GetFramesAsync(instance, "1", Cancel)));
        Assert.All(answers, answer => Assert.Equal(instance.Frame(1), Assert.Single(answer.Parts())));
        Assert.Single(watch.Asked, IsFrame);
    }

    private static bool IsFrame(string target) => target.Contains("/frames/", StringComparison.Ordinal);

    private static bool IsHit(Answer answer) =>
        answer.CacheStatus.StartsWith("Proxy", StringComparison.Ordinal) && answer.CacheStatus.Split(';').Any(p => p.Trim() == "hit");

    /// <summary>Multipart answers are compared by their parts, because the boundary may differ.</summary>
    private static void AssertSameContent(Answer before, Answer after)
    {
        if (before.ContentType.StartsWith("multipart", StringComparison.OrdinalIgnoreCase))
            Assert.Equal(before.Parts(), after.Parts());
        else
            Assert.Equal(before.Text, after.Text);
    }

    private static async Task<IReadOnlyList<Answer>> OpenAllAsync(ProxyProcess proxy)
    {
        var answers = new List<Answer> { await proxy.Client.GetJsonAsync("studies?limit=101&offset=0&fuzzymatching=false", Cancel) };
        foreach (var study in Opened)
            answers.AddRange(await proxy.Client.OpenAsync(study, Cancel));
        return answers;
    }
}
