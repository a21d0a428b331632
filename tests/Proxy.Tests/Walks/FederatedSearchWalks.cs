using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Searches over several PACS that all answer.</summary>
public sealed class FederatedSearchWalks
{
    private const string Studies = "/dicomweb/studies";

    private static readonly HeldStudy OnBothInEast = new HeldStudy("1.2.1") { Date = "20240301" }.With("1.2.1.1", "CT", 3)
        .With("1.2.1.2", "CT", 5);

    private static readonly HeldStudy OnBothInWest = new HeldStudy("1.2.1") { Date = "20240301" }.With("1.2.1.2", "CT", 5)
        .With("1.2.1.3", "SR", 1);

    [Fact]
    public async Task ListsAStudyOnce_WhenTwoPacsHoldIt()
    {
        using var east = new WireMockPacs(OnBothInEast);
        using var west = new WireMockPacs(OnBothInWest, new HeldStudy("1.2.2") { Date = "20240401" }.With("1.2.2.1", "MR", 2));
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        var reply = await proxy.GetAsync(Studies);

        Assert.Equal(["1.2.2", "1.2.1"], reply.Values("0020000D"));
        Assert.Empty(reply.Warnings);
        var merged = reply.Rows[1]!;
        Assert.Equal(["CT", "SR"], merged["00080061"]!["Value"]!.AsArray().Select(m => (string)m!).Order());
        Assert.Equal(3, (int)merged["00201206"]!["Value"]![0]!);
        Assert.Equal(9, (int)merged["00201208"]!["Value"]![0]!);
        Assert.Equal($"{proxy.Address}/dicomweb/studies/1.2.1", (string)merged["00081190"]!["Value"]![0]!);
    }

    [Fact]
    public async Task ReturnsConsistentPages_WhenBackendsSortDifferently()
    {
        using var east = new WireMockPacs(
            Enumerable.Range(1, 7).Select(n => new HeldStudy($"1.3.{n}") { Date = $"2024010{n}" }.With($"1.3.{n}.1")));
        using var west = new WireMockPacs(
            Enumerable.Range(4, 6).Select(n => new HeldStudy($"1.3.{n}") { Date = $"2024010{n}" }.With($"1.3.{n}.1")));
        var slot = 0;
        east.Archive.Order = studies => Interlocked.Increment(ref slot) % 2 == 0 ? studies.Reverse() : studies;
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address)) { ["Search:Freshness"] = "00:00:00" };

        var pages = new List<string?>();
        for (var offset = 0; offset < 12; offset += 4)
            pages.AddRange((await proxy.GetAsync($"{Studies}?limit=4&offset={offset}")).Values("0020000D"));

        Assert.Equal(Enumerable.Range(1, 9).Reverse().Select(n => $"1.3.{n}"), pages);
    }

    [Fact]
    public async Task SortsStudiesOfTheSameTime_InAStableOrder()
    {
        using var east = new WireMockPacs(new HeldStudy("1.4.3").With("1.4.3.1"), new HeldStudy("1.4.1").With("1.4.1.1"));
        using var west = new WireMockPacs(new HeldStudy("1.4.4").With("1.4.4.1"), new HeldStudy("1.4.2").With("1.4.2.1"));
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        Assert.Equal(["1.4.1", "1.4.2", "1.4.3", "1.4.4"], (await proxy.GetAsync(Studies)).Values("0020000D"));
    }

    [Fact]
    public async Task ReportsHowManyResultsRemain()
    {
        using var east = new WireMockPacs(Enumerable.Range(1, 5).Select(n => new HeldStudy($"1.3.{n}").With($"1.3.{n}.1")));
        await using var proxy = new ProxyHost(("east", east.Address));

        var first = await proxy.GetAsync($"{Studies}?limit=2");
        var last = await proxy.GetAsync($"{Studies}?limit=2&offset=4");

        Assert.Equal(2, first.Rows.Count);
        Assert.StartsWith("299 ", Assert.Single(first.Warnings));
        Assert.Contains("There are 3 additional results", first.Warnings[0]);
        Assert.Single(last.Rows);
        Assert.Empty(last.Warnings);
    }

    [Fact]
    public async Task Returns200WithAnEmptyList_WhenNoPacsHasResults()
    {
        using var east = new WireMockPacs();
        using var west = new WireMockPacs();
        west.Respond(PacsAnswer.Text(204, "application/dicom+json", ""));
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        var reply = await proxy.GetAsync(Studies);

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal("[]", reply.Text);
        Assert.Empty(reply.Warnings);
    }

    [Fact]
    public async Task ListsOneBackendOnly_AtTheRootOfThatBackend()
    {
        using var east = new WireMockPacs(OnBothInEast);
        using var west = new WireMockPacs(OnBothInWest);
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        var reply = await proxy.GetAsync("/backends/west/dicomweb/studies");

        var row = Assert.Single(reply.Rows)!;
        Assert.Equal(6, (int)row["00201208"]!["Value"]![0]!);
        Assert.Equal($"{proxy.Address}/backends/west/dicomweb/studies/1.2.1", (string)row["00081190"]!["Value"]![0]!);
        Assert.Empty(east.Requests);
        (await proxy.GetAsync("/backends/north/dicomweb/studies")).IsProblem(404);
    }

    [Fact]
    public async Task ListsTheUnionOfSeries_WhenTwoPacsHoldAStudy()
    {
        using var east = new WireMockPacs(OnBothInEast);
        using var west = new WireMockPacs(OnBothInWest);
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        var reply = await proxy.GetAsync("/dicomweb/studies/1.2.1/series?includefield=00080021%2C00080031%2C0008103E%2C00200011");

        Assert.Equal(["1.2.1.1", "1.2.1.2", "1.2.1.3"], reply.Values("0020000E").Order());
    }

    [Theory]
    [InlineData("/dicomweb/series", "0020000E", 3)]
    [InlineData("/dicomweb/instances", "00080018", 9)]
    [InlineData("/dicomweb/studies/1.2.1/instances", "00080018", 9)]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.2/instances", "00080018", 5)]
    public async Task MergesResultsByUid_AtEveryLevel(string path, string key, int count)
    {
        using var east = new WireMockPacs(OnBothInEast);
        using var west = new WireMockPacs(OnBothInWest);
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        var reply = await proxy.GetAsync(path);

        Assert.Equal(count, reply.Rows.Count);
        Assert.Equal(count, reply.Values(key).Distinct().Count());
    }
}
