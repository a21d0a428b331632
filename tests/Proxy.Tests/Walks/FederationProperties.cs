using System.Globalization;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>
/// For any distribution of studies over one to six PACS, any failures and any page size, the concatenated pages equal the list
/// of one PACS that holds everything.
/// </summary>
public sealed partial class FederationProperties(FederationProperties.SixPacs fixture) : IClassFixture<FederationProperties.SixPacs>
{
    private static readonly string[] Modalities = ["CT", "MR", "SR", "US"];

    private static readonly PacsAnswer[] Faults =
        [PacsAnswer.Text(401, "text/plain", "no"), PacsAnswer.Text(200, "text/html", "<html>Please log in</html>"),
        PacsAnswer.Json("[{\"0020000D\""), PacsAnswer.Text(400, "text/plain", "no")];

    /// <summary>Six PACS; each keeps its own paging behaviour.</summary>
    public sealed class SixPacs : IAsyncDisposable
    {
        private static int _next;

        public SixPacs()
        {
            All[1].Archive.PageCap = 10;
            (All[2].Archive.PageCap, All[2].Archive.ReportsRemaining) = (12, true);
            (All[3].Archive.MaxLimit, All[3].Archive.RefusesModalityLists) = (200, true);
            All[4].Archive.IgnoresOffset = true;
            (All[5].Archive.RefusesOffsetPastEnd, All[5].Archive.RefusesRelationalSeries) = (true, true);
            Proxy = new(All.Select((pacs, i) => ($"p{i}", pacs.Address)));
            for (var i = 0; i < All.Length; i++) Proxy[$"Backends:p{i}:Preference"] = $"{i}";
        }

        public WireMockPacs[] All { get; } = [.. Enumerable.Range(0, 6).Select(_ => new WireMockPacs())];

        public ProxyHost Proxy { get; }

        /// <summary>A patient that no earlier search named.</summary>
        public static int Next() => Interlocked.Increment(ref _next);

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            foreach (var pacs in All) pacs.Dispose();
        }
    }

    /// <summary>A study, and the part of it that each PACS holds.</summary>
    private sealed record Spread(string Uid, string Date, string Time, Dictionary<int, HeldStudy> Parts);

    [Property(MaxTest = 40)]
    public async Task ConcatenatedPagesEqualTheMergedList(DoNotSize<int> seed)
    {
        var random = new Random(seed.Item);
        var patient = $"P{SixPacs.Next()}";
        var (count, limit) = (random.Next(1, 7), random.Next(1, 14));
        var studies = Enumerable.Range(1, random.Next(36)).Select(n => Scatter(random, $"1.2.{patient[1..]}.{n}", patient, count)).ToList();
        for (var i = 0; i < count; i++) fixture.All[i].Hold(studies.Where(s => s.Parts.ContainsKey(i)).Select(s => s.Parts[i]));
        var failing = Enumerable.Range(0, count).Where(_ => random.Next(5) == 0).ToHashSet();
        foreach (var i in failing) fixture.All[i].Respond(Faults[random.Next(Faults.Length)]);
        // Each PACS sorts in its own order.
        foreach (var pacs in fixture.All)
        {
            var salt = random.Next();
            pacs.Archive.Order = held => held.OrderBy(s => s.Uid.GetHashCode(StringComparison.Ordinal) ^ salt);
        }
        string[] modalities = random.Next(3) == 0 ? [Modalities[random.Next(4)], Modalities[random.Next(4)]] : [];
        var search = $"/dicomweb/studies?PatientID={patient}&limit={limit}";
        if (modalities.Length > 0) search += $"&ModalitiesInStudy={string.Join(',', modalities)}";

        var pages = new List<Reply>();
        do pages.Add(await fixture.Proxy.GetAsync($"{search}&offset={pages.Count * limit}"));
        while (pages[^1].Rows.Count == limit && pages.Count < 50);

        foreach (var i in failing) fixture.All[i].Recover();
        var expected = studies.Where(s => IsFound(s, failing, modalities)).OrderByDescending(s => s.Date, StringComparer.Ordinal)
            .ThenByDescending(s => s.Time, StringComparer.Ordinal).ThenBy(s => s.Uid, StringComparer.Ordinal).ToList();
        Assert.Equal(expected.Select(s => s.Uid), pages.SelectMany(p => p.Values("0020000D")));
        foreach (var (study, row) in expected.Zip(pages.SelectMany(p => p.Rows)))
        {
            var parts = study.Parts.Where(p => !failing.Contains(p.Key)).OrderBy(p => p.Key).Select(p => p.Value).ToList();
            var series = parts.SelectMany(p => p.Series).GroupBy(s => s.Uid).ToList();
            Assert.Equal(series.Count, (int)row!["00201206"]!["Value"]![0]!);
            Assert.Equal(series.Sum(s => s.Max(e => e.Instances)), (int)row["00201208"]!["Value"]![0]!);
            Assert.Equal(
                parts.SelectMany(p => p.Series).Select(s => s.Modality).Distinct().Order(),
                row["00080061"]!["Value"]!.AsArray().Select(m => (string)m!).Order());
            Assert.Equal(parts[0].PatientName, (string)row["00100010"]!["Value"]![0]!["Alphabetic"]!);
        }
        for (var i = 0; i < pages.Count; i++)
        {
            Assert.Equal(string.Join(", ", failing.Order().Select(f => $"p{f}")), pages[i]["X-Failed-Backends"]);
            Assert.Equal(Math.Max(0, expected.Count - (i + 1) * limit), GetRemaining(pages[i]));
        }
    }

    /// <summary>Places a study in one PACS or several: each holds some of its series, and all or some instances of a series.</summary>
    private static Spread Scatter(Random random, string uid, string patient, int count)
    {
        var (date, time) = ($"202401{random.Next(1, 4):D2}", $"{random.Next(3):D2}0000");
        var series = Enumerable.Range(1, random.Next(1, 5))
            .Select(n => new HeldSeries($"{uid}.{n}", Modalities[random.Next(4)], random.Next(1, 9))).ToList();
        var parts = new Dictionary<int, HeldStudy>();
        while (parts.Count == 0)
        {
            for (var i = 0; i < count; i++)
            {
                if (random.Next(3) > 0) continue;
                var held = series.Where(_ => random.Next(2) == 0).Select(s => s with { Instances = random.Next(1, s.Instances + 1) })
                    .DefaultIfEmpty(series[0]);
                parts[i] = held.Aggregate(
                    new HeldStudy(uid) { Date = date, Time = time, PatientId = patient, PatientName = $"DOE^P{i}" },
                    (study, one) => study.With(one));
            }
        }
        return new(uid, date, time, parts);
    }

    private static bool IsFound(Spread study, HashSet<int> failing, string[] modalities) =>
        study.Parts.Any(
            p => !failing.Contains(p.Key) && (modalities.Length == 0 || p.Value.Series.Any(s => modalities.Contains(s.Modality))));

    private static int GetRemaining(Reply page) =>
        page.Warnings.Select(w => Remaining().Match(w)).Where(m => m.Success)
            .Select(m => int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture)).SingleOrDefault();

    [GeneratedRegex(@"There are (\d+) additional results")]
    private static partial Regex Remaining();
}
