using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Proxy.Metadata;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Answers survive a restart of the proxy with their age, and the proxy revalidates them as before.</summary>
public sealed class RestartWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private const string Metadata = Study + "/series/1.2.1.1/metadata";

    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-restart-");

    private readonly FakeTimeProvider _time = new(Noon);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "SR", 1));

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task AsksNothingAndContinuesTheAge_WithinTheFreshness()
    {
        Reply before;
        await using (var first = Start("cache"))
        {
            before = await first.GetAsync(Metadata);
            await first.GetAsync(Study + "/series");
        }
        var asked = _east.Requests.Count;
        _time.Advance(TimeSpan.FromSeconds(30));

        await using var second = Start("cache");
        var after = await second.GetAsync(Metadata);

        Assert.Equal("Proxy; hit", after.CacheStatus);
        Assert.Equal("30", after["Age"]);
        Assert.Equal(before["ETag"], after["ETag"]);
        Assert.Equal(before.Values("00080018"), after.Values("00080018"));
        Assert.Equal(["1.2.1.1", "1.2.1.2"], (await second.GetAsync(Study + "/series")).Values("0020000E"));
        Assert.Equal(
            "east",
            (await second.GetAsync(
                "/store/instance?imageId=wadors:/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.2/frames/1"))["X-Backend"]);
        Assert.Equal(["1.2.1"], (await second.GetAsync("/store/studies")).Json.AsArray().Select(s => (string)s!["StudyInstanceUID"]!));
        Assert.Equal(1, (int)(await second.GetAsync("/health/ready")).Json["store"]!["studies"]!);
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task RevalidatesWithoutFetchingMetadata_AfterTheFreshness()
    {
        await using (var first = Start("cache")) await first.GetAsync(Metadata);
        _time.Advance(TimeSpan.FromHours(1));

        await using var second = Start("cache");
        var after = await second.GetAsync(Metadata);

        Assert.Equal("Proxy; hit", after.CacheStatus);
        Assert.Equal("0", after["Age"]);
        Assert.Equal(3, after.Rows.Count);
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.Equal(2, _east.Count("/series"));
    }

    [Fact]
    public async Task ServesStaleAnswersWithTheirAge_WhenThePacsIsDead()
    {
        await using (var first = Start("cache")) await first.GetAsync(Metadata);
        _time.Advance(TimeSpan.FromHours(1));
        _east.Fail(503);

        await using var second = Start("cache");
        var stale = await second.GetAsync(Metadata);

        Assert.Equal(200, (int)stale.Status);
        Assert.StartsWith("Proxy; fwd=stale", stale.CacheStatus);
        Assert.Equal("3600", stale["Age"]);
        Assert.Equal(3, stale.Rows.Count);
    }

    [Fact]
    public async Task LosesAtMostASecond_WhenTheProcessIsKilled()
    {
        await using var first = Start("cache");
        await first.GetAsync(Metadata);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Until.TrueAsync(
            () => new FileInfo(Path.Join(_folder.FullName, "cache", "studies.db-wal")) is { Exists: true, Length: > 12_000 },
            "the study is being written");
        // Waits for the running flush.
        Assert.True(await first.Services.GetRequiredService<DicomMetadataStore>().FlushAsync());
        // Restore the disk as an unclean shutdown leaves it.
        Directory.CreateDirectory(Path.Join(_folder.FullName, "killed", "entries"));
        foreach (var file in new DirectoryInfo(Path.Join(_folder.FullName, "cache")).GetFiles())
        {
            if (file.Name == "lock")
                await File.WriteAllBytesAsync(Path.Join(_folder.FullName, "killed", "lock"), [], TestContext.Current.CancellationToken);
            else file.CopyTo(Path.Join(_folder.FullName, "killed", file.Name));
        }

        await using var second = Start("killed");

        Assert.Equal("Proxy; hit", (await second.GetAsync(Metadata)).CacheStatus);
        Assert.Equal(1, _east.Count("/metadata"));
    }

    [Fact]
    public async Task ServesNothingOfTheOldPacs_WhenItsNameIsReused()
    {
        await using (var first = Start("cache")) await first.GetAsync(Metadata);
        using var other = new WireMockPacs(new HeldStudy("1.2.2").With("1.2.2.1"));

        await using var second = new ProxyHost(("east", other.Address))
        {
            Time = _time,
            ["Cache:Disk:Path"] = Path.Join(_folder.FullName,
            "cache")
        };

        (await second.GetAsync(Metadata)).IsProblem(404);
        Assert.Empty((await second.GetAsync("/store/studies")).Json.AsArray());
    }

    [Fact]
    public async Task ServesClients_WhenTheFolderIsUnusable()
    {
        await File.WriteAllTextAsync(Path.Join(_folder.FullName, "not-a-folder"), "x", TestContext.Current.CancellationToken);
        await using var proxy = Start("not-a-folder");
        Assert.Equal(3, (await proxy.GetAsync(Metadata)).Rows.Count);
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(Metadata)).CacheStatus);
    }

    private ProxyHost Start(string folder) =>
        new(("east", _east.Address)) { Time = _time, ["Cache:Disk:Path"] = Path.Join(_folder.FullName, folder) };
}
