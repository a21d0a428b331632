using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace Proxy.Integration;

/// <summary>
/// Frames as a real archive stores them, compressed and not: from the archive, from memory, from disk and cut from a whole
/// instance, the proxy serves the same bytes as the archive.
/// </summary>
public sealed partial class StoredFormTests(Lab lab) : IAsyncLifetime
{
    private const string Instance = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    private readonly Scratch _scratch = new("stored");

    private OrthancServer _orthanc = null!;

    private CountingRelay _wire = null!;

    private List<(string Path, int Frames)> _instances = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DicomwebClient Archive => new(_orthanc.Http, _orthanc.Address);

    public async ValueTask InitializeAsync()
    {
        await lab.StartAsync(Cancel);
        _orthanc = await OrthancServer.StartAsync("stored", null, Cancel);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Data", "Files"), "*.dcm"))
            await _orthanc.StoreAsync(await File.ReadAllBytesAsync(file, Cancel), file, Cancel);
        await _orthanc.StoreAsync([
            Archives.Clip.Instances.First(), Archives.Chest.Instances.First(), Archives.Axial.Instances.First(),
            .. Archives.T1.Instances.Take(3)], Cancel);
        _wire = new(_orthanc.Port);
        foreach (var row in (await Archive.GetJsonAsync("instances", Cancel)).Datasets)
        {
            var path = $"studies/{row!.Text(0x0020000D)}/series/{row!.Text(0x0020000E)}/instances/{row!.Text(Tags.SopInstanceUid)}";
            var metadata = (await Archive.GetJsonAsync(path + "/metadata", Cancel)).Datasets[0]!;
            _instances.Add((path, int.Parse(metadata.Text(0x00280008) ?? "1", System.Globalization.CultureInfo.InvariantCulture)));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_wire is not null)
            await _wire.DisposeAsync();
        if (_orthanc is not null)
            await _orthanc.DisposeAsync();
        _scratch.Dispose();
    }

    [Fact]
    public async Task ServesEveryStoredFormLikeTheArchive_BeforeAndAfterARestart()
    {
        var theirs = new Dictionary<string, Answer>();
        foreach (var path in Frames())
            theirs.Add(path, await Archive.AskAsync(path, DicomwebClient.Frames, Cancel));
        Assert.True(theirs.Values.Select(GetSyntax).Distinct().Count() >= 6, string.Join(", ", theirs.Values.Select(GetSyntax).Distinct()));

        await using (var proxy = await StartAsync())
        {
            foreach (var round in new[] { "fwd=miss", "hit" })
            {
                foreach (var (path, answer) in theirs)
                    AssertSame(answer, await proxy.Client.AskAsync(path, DicomwebClient.Frames, Cancel), round);
            }

            await proxy.StopAsync();
        }

        await using var again = await StartAsync();
        var watch = new Watch(_wire);
        foreach (var (path, answer) in theirs)
            AssertSame(answer, await again.Client.AskAsync(path, DicomwebClient.Frames, Cancel), "hit");
        Assert.DoesNotContain(watch.Asked, target => target.Contains("/frames/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CutsFramesFromAWholeInstance_LikeTheArchive()
    {
        await using var proxy = await StartAsync();
        foreach (var (path, frames) in _instances)
        {
            var (theirs, ours) = (await Archive.AskAsync(path, Instance, Cancel), await proxy.Client.AskAsync(path, Instance, Cancel));
            Assert.Equal(theirs.Parts(), ours.Parts());
            var watch = new Watch(_wire);
            for (var frame = 1; frame <= frames; frame++)
                AssertSame(
                    await Archive.AskAsync($"{path}/frames/{frame}", DicomwebClient.Frames, Cancel),
                    await proxy.Client.AskAsync($"{path}/frames/{frame}", DicomwebClient.Frames, Cancel), "hit");
            Assert.DoesNotContain(watch.Asked, target => target.Contains("/frames/", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task ServesFramesFromDisk_AfterAWholeSeriesWasRetrieved()
    {
        await using var proxy = await StartAsync();
        foreach (var series in _instances.Select(i => i.Path.Split("/instances/")[0]).Distinct())
            await proxy.Client.AskAsync(series, Instance, Cancel);
        foreach (var (path, frames) in _instances)
        {
            AssertSame(
                await Archive.AskAsync($"{path}/frames/{frames}", DicomwebClient.Frames, Cancel),
                await proxy.Client.AskAsync($"{path}/frames/{frames}", DicomwebClient.Frames, Cancel), "hit");
        }

        var disk = JsonNode.Parse(await proxy.Http.GetStringAsync("cache", Cancel))!["disk"]!;
        // The proxy caches the instances of a series answer on disk only.
        Assert.Equal(_instances.Count, (int)disk["hits"]!);
    }

    private static void AssertSame(Answer theirs, Answer ours, string cacheStatus)
    {
        Assert.Equal(theirs.Parts(), ours.Parts());
        Assert.Equal(GetSyntax(theirs), GetSyntax(ours));
        Assert.Contains(cacheStatus, ours.CacheStatus, StringComparison.Ordinal);
    }

    /// <summary>Media type and transfer syntax in the header of the part.</summary>
    private static string GetSyntax(Answer answer)
    {
        var head = Encoding.Latin1.GetString(answer.Body.AsSpan(0, Math.Min(answer.Body.Length, 600)));
        return PartType().Match(head).Groups[1].Value.Replace("\"", "", StringComparison.Ordinal)
            .Replace(" ", "", StringComparison.Ordinal);
    }

    [GeneratedRegex("Content-Type: ([^\r]+)\r", RegexOptions.IgnoreCase)]
    private static partial Regex PartType();

    private IEnumerable<string> Frames() => _instances.SelectMany(i => Enumerable.Range(1, i.Frames).Select(f => $"{i.Path}/frames/{f}"));

    private Task<ProxyProcess> StartAsync() =>
        ProxyProcess.StartAsync([
            .. ProxyProcess.Backend("stored", _wire.Address), .. ProxyProcess.Lasting, .. ProxyProcess.NoPrefetch,
            $"Cache:Disk:Path={Path.Combine(_scratch.Folder, "cache")}"], Cancel);
}
