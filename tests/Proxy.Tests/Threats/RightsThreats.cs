using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Identity;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>Users with different rights share one cache.</summary>
public sealed partial class RightsThreats : IDisposable
{
    private const string Heart = "1.2.66.1", Brain = "1.2.66.2", Absent = "1.2.66.3";

    private readonly WireMockPacs _east = new(
        new HeldStudy(Heart) { PatientId = "H1" }.With(Heart + ".1"), new HeldStudy(Brain) { PatientId = "N1" }.With(Brain + ".1"));

    public void Dispose() => _east.Dispose();

    private ProxyHost Start(FakeTimeProvider? time = null)
    {
        var proxy = new ProxyHost(("east", _east.Address))
        {
            Time = time,
            Issuer = time is null ? TestIssuer.Shared : new TestIssuer { Time = time },
            ["Security:Access:Default"] = "Policy",
            ["Security:Access:Rules:hearts:Roles"] = "cardio",
            ["Security:Access:Rules:hearts:PatientIds"] = "H*",
            ["Security:Access:Rules:brains:Roles"] = "neuro",
            ["Security:Access:Rules:brains:PatientIds"] = "N*",
            ["Security:Access:Rules:trauma:Users"] = "eve",
            ["Security:Access:Rules:trauma:PatientIds"] = "none",
        };
        return proxy;
    }

    [Theory]
    [InlineData("/metadata")]
    [InlineData("/series/1.2.66.1.1/metadata")]
    [InlineData("/series/1.2.66.1.1/instances/1.2.66.1.1.1/frames/1")]
    [InlineData("/series/1.2.66.1.1/instances/1.2.66.1.1.1")]
    public async Task T1_AHitIsForThoseWithTheRight(string resource)
    {
        await using var proxy = Start();
        var (anna, bert) = (proxy.As("anna", "cardio"), proxy.As("bert", "neuro"));
        Assert.Equal(200, (int)(await anna.GetAsync($"/dicomweb/studies/{Heart}{resource}")).Status);
        Assert.Equal(404, (int)(await bert.GetAsync($"/dicomweb/studies/{Heart}{resource}")).Status);
        Assert.Equal(404, (int)(await bert.GetAsync($"/store/studies/{Heart}")).Status);
        Assert.Equal(200, (int)(await anna.GetAsync($"/dicomweb/studies/{Heart}{resource}")).Status);
    }

    [Fact]
    public async Task T1_ARequestThatRunsIsJoinedByThoseWithTheRight()
    {
        await using var proxy = Start();
        var (anna, bert) = (proxy.As("anna", "cardio"), proxy.As("bert", "neuro"));
        const string Metadata = $"/dicomweb/studies/{Heart}/series/{Heart}.1/metadata";
        var gate = _east.Hang("/metadata");
        var first = anna.GetAsync(Metadata);
        await Until.TrueAsync(() => gate.Arrived == 1);
        Assert.Equal(404, (int)(await bert.GetAsync(Metadata)).Status);
        var second = proxy.As("carl", "cardio").GetAsync(Metadata);
        gate.Open();
        Assert.Equal(200, (int)(await first).Status);
        Assert.Equal(200, (int)(await second).Status);
        Assert.Equal(1, _east.Count("/metadata"));
    }

    [Fact]
    public async Task T2_AListHasTheStudiesOfItsUser()
    {
        await using var proxy = Start();
        var (anna, bert) = (proxy.As("anna", "cardio"), proxy.As("bert", "neuro"));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal([Heart], (await anna.GetAsync("/dicomweb/studies")).Values("0020000D"));
            Assert.Equal([Brain], (await bert.GetAsync("/dicomweb/studies")).Values("0020000D"));
            Assert.Empty((await proxy.As("eve").GetAsync("/dicomweb/studies")).Rows);
        }
        Assert.NotEqual((await anna.GetAsync("/dicomweb/studies"))["ETag"], (await bert.GetAsync("/dicomweb/studies"))["ETag"]);
    }

    [Fact]
    public async Task AnEmergencyAccessOpensADeniedStudy_ForItsUserUntilItEnds()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var proxy = Start(time);
        var (erna, bert) = (proxy.As("erna", "neuro", "emergency"), proxy.As("bert", "neuro"));
        (string, string)[] json = [("Content-Type", "application/json")];
        Assert.Equal(404, (int)(await erna.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        Assert.Equal(403, (int)(await bert.SendAsync(HttpMethod.Post, "/emergency", json, Body("trauma room"))).Status);
        Assert.Equal(400, (int)(await erna.SendAsync(HttpMethod.Post, "/emergency", json, Body(""))).Status);
        Assert.Equal(201, (int)(await erna.SendAsync(HttpMethod.Post, "/emergency", json, Body("trauma room"))).Status);

        Assert.Equal(200, (int)(await erna.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        Assert.Equal(404, (int)(await bert.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        time.Advance(TimeSpan.FromHours(1) + TimeSpan.FromMinutes(1));
        Assert.Equal(404, (int)(await proxy.As("erna", "neuro", "emergency").GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);

        static string Body(string reason) => $$"""{"study":"{{Heart}}","reason":"{{reason}}"}""";
    }

    [Fact]
    public async Task AUserStoresIntoStudiesThatTheyMaySee()
    {
        await using var proxy = Start();
        _east.Respond(request => request.Method == "POST"
            ? PacsAnswer.Json(StowMessage.Stored(_east.Address, Heart, Heart + ".9", Heart + ".9.1"))
            : null);
        var (anna, bert) = (proxy.As("anna", "cardio"), proxy.As("bert", "neuro"));
        var file = StowMessage.File(Heart, Heart + ".9", Heart + ".9.1");
        Assert.Equal(200, (int)(await anna.PostAsync("/dicomweb/studies", StowMessage.Body(file))).Status);
        Assert.Equal(200, (int)(await anna.PostAsync($"/dicomweb/studies/{Heart}", StowMessage.Body(file))).Status);
        var refused = await bert.PostAsync("/dicomweb/studies", StowMessage.Body(file));
        var unknown = await bert.PostAsync("/dicomweb/studies", StowMessage.Body(StowMessage.File(Absent, Absent + ".1", Absent + ".1.1")));
        Assert.Equal((403, 403), ((int)refused.Status, (int)unknown.Status));
        Assert.Equal(unknown.Text, refused.Text);
        Assert.Equal(403, (int)(await anna.PostAsync(
            "/dicomweb/studies", StowMessage.Body(file, StowMessage.File(Brain, Brain + ".9", Brain + ".9.1")))).Status);
    }

    /// <summary>The proxy and a PACS see the same parts: a declared length hides none, and another type is no way around.</summary>
    [Theory]
    [InlineData("application/dicom", true)]
    [InlineData("application/octet-stream", false)]
    public async Task NoInstanceIsHiddenInAStoreRequest(string type, bool isInPart)
    {
        await using var proxy = Start();
        _east.Respond(request => request.Method == "POST" ? PacsAnswer.Text(200, "application/dicom+json", "{}") : null);
        var (own, foreign) = (StowMessage.File(Heart, Heart + ".9", Heart + ".9.1"), StowMessage.File(Brain, Brain + ".9", Brain + ".9.1"));
        byte[] hidden = [.. Encoding.ASCII.GetBytes($"\r\n--a-part\r\nContent-Type: {type}\r\n\r\n"), .. foreign];
        var length = isInPart ? $"Content-Length: {own.Length + hidden.Length}\r\n" : "";
        byte[] body =
        [
            .. Encoding.ASCII.GetBytes($"--a-part\r\nContent-Type: application/dicom\r\n{length}\r\n"), .. own, .. hidden,
            .. "\r\n--a-part--\r\n"u8,
        ];
        var reply = await proxy.As("anna", "cardio").PostAsync("/dicomweb/studies", StowMessage.WithType(new ByteArrayContent(body)));
        Assert.Equal(403, (int)reply.Status);
    }

    [Fact]
    public async Task ASearchForADeniedStudyStartsNoJob()
    {
        await using var proxy = Start();
        proxy["Prefetch:SeriesReadAhead"] = "true";
        var (anna, bert) = (proxy.As("anna", "cardio"), proxy.As("bert", "neuro"));
        Assert.Equal(200, (int)(await anna.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        Assert.Empty((await bert.GetAsync($"/dicomweb/studies?StudyInstanceUID={Heart}")).Rows);
        Assert.Equal("[]", (await bert.GetAsync("/prefetch")).Text);
    }

    [Fact]
    public async Task AnOperatorManagesStudiesThatTheyMayNotSee()
    {
        await using var proxy = Start();
        var (anna, olga) = (proxy.As("anna", "cardio"), proxy.As("olga", "operator"));
        Assert.Equal(200, (int)(await anna.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        Assert.Equal(404, (int)(await olga.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        Assert.Contains("east", (await olga.GetAsync("/cache")).Text);
        Assert.Contains("east", (await olga.GetAsync("/health/ready")).Text);
        Assert.Equal(204, (int)(await olga.SendAsync(HttpMethod.Delete, $"/cache/studies/{Heart}", [])).Status);
        Assert.Equal(403, (int)(await anna.SendAsync(HttpMethod.Delete, $"/cache/studies/{Heart}", [])).Status);
    }

    [Fact]
    public async Task AnOutageIsNoEmptyList()
    {
        await using var proxy = Start();
        _east.Fail(503);
        var anna = proxy.As("anna", "cardio");
        foreach (var path in (string[])[$"studies?StudyInstanceUID={Heart}", $"studies/{Heart}/series", $"studies/{Absent}/series"])
            Assert.InRange((int)(await anna.GetAsync("/dicomweb/" + path)).Status, 500, 599);
    }

    [Fact]
    public async Task AForwardedRequestNeedsTheRightToItsStudy()
    {
        var deleted = new List<string>();
        await using var proxy = Start();
        proxy["Backends:east:Forward"] = "true";
        _east.Respond(request =>
        {
            if (request.Method == "GET" && !request.Path.StartsWith("workitems", StringComparison.Ordinal)) return null;
            lock (deleted) deleted.Add(request.Path);
            return PacsAnswer.Text(200, "application/json", "[]");
        });
        var (anna, bert, olga) = (proxy.As("anna", "cardio"), proxy.As("bert", "neuro"), proxy.As("olga", "operator"));
        Assert.Equal(403, (int)(await bert.SendAsync(HttpMethod.Delete, $"/backends/east/dicomweb/studies/{Heart}", [])).Status);
        Assert.Equal(404, (int)(await olga.SendAsync(HttpMethod.Delete, $"/backends/east/dicomweb/studies/{Heart}", [])).Status);
        Assert.Equal(404, (int)(await anna.GetAsync("/backends/east/dicomweb/workitems")).Status);
        Assert.Equal(403, (int)(await anna.SendAsync(HttpMethod.Delete, $"/backends/east/dicomweb/studies/{Heart}", [])).Status);
        Assert.Empty(deleted);
        var chief = proxy.As("chief", "cardio", "operator");
        Assert.Equal(200, (int)(await chief.SendAsync(HttpMethod.Delete, $"/backends/east/dicomweb/studies/{Heart}", [])).Status);
        Assert.Equal(200, (int)(await olga.GetAsync("/backends/east/dicomweb/workitems")).Status);
        Assert.Equal([$"studies/{Heart}", "workitems"], deleted);
    }

    /// <summary>The backend decides by the user's own token: a hit needs its answer to this user.</summary>
    [Fact]
    public async Task ABackendDecides_ThatGetsTheUsersToken()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var proxy = new ProxyHost(("east", _east.Address))
        {
            Time = time,
            Issuer = new TestIssuer { Time = time },
            ["Backends:east:Authentication:Scheme"] = "Forward",
        };
        var (anna, bert) = (proxy.As("anna"), proxy.As("bert"));
        var isAllowed = true;
        _east.Respond(request => request.Headers.GetValueOrDefault("Authorization") == $"Bearer {anna.Token}" && isAllowed
            ? null
            : request.Path == "studies" ? PacsAnswer.Text(200, "application/dicom+json", "[]") : PacsAnswer.Text(403, "text/plain", "no"));
        const string Metadata = $"/dicomweb/studies/{Heart}/series/{Heart}.1/metadata";
        Assert.Equal(2, (await anna.GetAsync("/dicomweb/studies")).Rows.Count);
        Assert.Empty((await bert.GetAsync("/dicomweb/studies")).Rows);
        Assert.Equal(200, (int)(await anna.GetAsync(Metadata)).Status);
        Assert.Equal(200, (int)(await anna.GetAsync(Metadata)).Status);
        Assert.Equal(404, (int)(await bert.GetAsync(Metadata)).Status);
        Assert.DoesNotContain(Heart, (await bert.GetAsync("/store/studies")).Text);
        Assert.Equal(1, _east.Count("/metadata"));

        // A right that was withdrawn ends with the lifetime of the last decision.
        isAllowed = false;
        Assert.Equal(200, (int)(await anna.GetAsync(Metadata)).Status);
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(404, (int)(await anna.GetAsync(Metadata)).Status);
    }

    /// <summary>A Kolmogorov-Smirnov test over interleaved requests: a busy machine slows down both kinds alike.</summary>
    [Fact]
    public async Task T3_TimeTellsNothing()
    {
        const int Count = 500;
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var proxy = Start(time);
        var anna = proxy.As("anna", "cardio");
        Assert.Equal([Heart], (await anna.GetAsync("/dicomweb/studies")).Values("0020000D"));
        Assert.Equal(200, (int)(await anna.GetAsync($"/dicomweb/studies/{Heart}/metadata")).Status);
        var eve = proxy.As("eve");
        var (cached, absent) = (new double[Count], new double[Count]);
        for (var i = 0; i < Count; i++)
        {
            // No decision lives longer than this. The order changes, so that neither kind always follows the other.
            time.Advance(TimeSpan.FromSeconds(5.1));
            if (i % 2 == 0) cached[i] = await MeasureAsync(eve, Heart);
            absent[i] = await MeasureAsync(eve, Absent);
            if (i % 2 == 1) cached[i] = await MeasureAsync(eve, Heart);
            if (i % 100 == 0) eve = proxy.As("eve");
        }
        // At a probability of one in a billion (D = c(α)·√(2/n), c = √(−ln(α/2)/2)).
        var limit = Math.Sqrt(-Math.Log(1e-9 / 2) / 2) * Math.Sqrt(2.0 / (Count - 100));
        var distance = FindDistance(cached[100..], absent[100..]);
        var (ofCached, ofAbsent) = (cached[100..].Order().ElementAt((Count - 100) / 2), absent[100..].Order().ElementAt((Count - 100) / 2));
        Assert.True(distance <= limit, $"distance {distance}; medians {ofCached} ms cached, {ofAbsent} ms absent");
    }

    private static async Task<double> MeasureAsync(ProxyUser user, string study)
    {
        var started = TimeProvider.System.GetTimestamp();
        var reply = await user.GetAsync($"/dicomweb/studies/{study}/metadata");
        var elapsed = TimeProvider.System.GetElapsedTime(started).TotalMilliseconds;
        Assert.Equal(404, (int)reply.Status);
        return elapsed;
    }

    /// <summary>The largest distance between two empirical distributions.</summary>
    private static double FindDistance(double[] first, double[] second)
    {
        Array.Sort(first);
        Array.Sort(second);
        return first.Concat(second).Max(value => Math.Abs(Share(first, value) - Share(second, value)));

        static double Share(double[] sorted, double value)
        {
            var at = Array.BinarySearch(sorted, value);
            for (at = at < 0 ? ~at : at; at < sorted.Length && sorted[at] <= value;) at++;
            return (double)at / sorted.Length;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task NoByteAndNoCountIsOutsideOfTheRights(int seed)
    {
        var random = new Random(seed);
        var site = new RandomSite(random);
        using var west = new WireMockPacs(site.GetStudies(1));
        using var east = new WireMockPacs(site.GetStudies(0));
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address)) { Issuer = TestIssuer.Shared };
        foreach (var (key, value) in site.Settings) proxy[key] = value;
        var users = site.Users.Select(user => proxy.As(user.Name, user.Groups)).ToList();
        for (var round = 0; round < 20; round++)
        {
            var asked = Enumerable.Range(0, 8)
                .Select(_ => (User: random.Next(users.Count), Request: RandomSite.GetRequest(random))).ToList();
            var replies = await Task.WhenAll(asked.Select(one => users[one.User].GetAsync(one.Request.Address)));
            foreach (var (one, reply) in asked.Zip(replies)) site.Check(one.User, one.Request, reply);
        }
    }

    /// <summary>Random studies in two backends, rules and users, with an oracle that judges answers.</summary>
    private sealed partial class RandomSite
    {
        private const int StudyCount = 8;

        private readonly List<(string Patient, string Modality, bool[] IsIn)> _studies = [];
        private readonly List<(string Role, string? Patients, string? Modality, string? Backend)> _rules = [];

        public RandomSite(Random random)
        {
            for (var i = 0; i < StudyCount; i++)
            {
                var isIn = Pick<bool[]>(random, [true, false], [false, true], [true, true]);
                _studies.Add((Pick(random, "A1", "A2", "B1", "C1"), Pick(random, "CT", "MR"), isIn));
            }
            for (var i = 0; i < 4; i++)
            {
                var (role, patients) = (Pick(random, "r0", "r1", "r2"), Pick(random, "A*", "B1", "?1", null));
                _rules.Add((role, patients, Pick(random, "CT", null, null), Pick(random, "east", "west", null)));
            }
            Settings = [("Security:Access:Default", "Policy"), .. _rules.SelectMany((rule, i) => Write(rule, i))];
            Users = [.. Enumerable.Range(0, 4).Select(i => ($"u{i}", (string[])[$"r{i}"]))];
        }

        public IReadOnlyList<(string Key, string Value)> Settings { get; }

        public IReadOnlyList<(string Name, string[] Groups)> Users { get; }

        public IEnumerable<HeldStudy> GetStudies(int backend) =>
            from i in Enumerable.Range(0, StudyCount)
            where _studies[i].IsIn[backend]
            select new HeldStudy($"1.2.9.{i}") { PatientId = _studies[i].Patient }
                .With($"1.2.9.{i}.{backend}", _studies[i].Modality, instances: 1 + backend);

        public static (string Address, int? Study) GetRequest(Random random)
        {
            var study = random.Next(StudyCount + 1);
            var (uid, backend) = ($"1.2.9.{study}", random.Next(2));
            var series = $"{uid}.{backend}";
            var root = Pick(random, "/dicomweb", "/dicomweb", "/backends/east/dicomweb", "/backends/west/dicomweb");
            return random.Next(17) switch
            {
                0 => ($"{root}/studies", null),
                1 => ($"{root}/series", null),
                2 => ($"{root}/instances", null),
                3 => ($"{root}/studies?PatientID={Pick(random, "A1", "B1", "A*")}&limit=2", null),
                4 => ("/store/studies", null),
                5 => ($"{root}/studies/{uid}/series", study),
                6 => ($"{root}/studies/{uid}/metadata", study),
                7 => ($"{root}/studies/{uid}/series/{series}/metadata", study),
                8 => ($"{root}/studies/{uid}/series/{series}/instances/{series}.1/frames/1", study),
                9 => ($"{root}/studies/{uid}", study),
                10 => ($"/store/studies/{uid}", study),
                11 => ($"{root}/studies/{uid}/series/{series}/instances/{series}.1/rendered", study),
                12 => ($"{root}/studies/{uid}/thumbnail", study),
                13 => ($"{root}/studies/{uid}/series/{series}/instances/{series}.1/bulkdata/east/x", study),
                14 => ($"{root}?requestType=WADO&studyUID={uid}&seriesUID={series}&objectUID={series}.1", study),
                15 => ("/prefetch", null),
                _ => ($"{root}/studies/{uid}/instances", study),
            };
        }

        public void Check(int user, (string Address, int? Study) request, Reply reply)
        {
            var what = $"u{user} {request.Address}: {(int)reply.Status}";
            foreach (Match named in Named().Matches(reply.Text))
            {
                var study = int.Parse(named.Groups[1].Value, CultureInfo.InvariantCulture);
                if (request.Address.Contains(named.Value, StringComparison.Ordinal)) continue;
                var isSeen = int.TryParse(named.Groups[2].Value, CultureInfo.InvariantCulture, out var backend)
                    ? MaySee(user, study, backend)
                    : MaySee(user, study);
                Assert.True(isSeen, $"{what} names {named.Value}");
            }
            if (request.Study is { } asked)
                Assert.True(
                    Reaches(user, asked, request.Address) || (int)reply.Status == 404 || reply.Text == "[]", $"{what} for a denied study");
            // The root of a backend without anything for the user is unknown.
            if (request.Address.StartsWith("/backends/", StringComparison.Ordinal) && (int)reply.Status == 404) return;
            if (!request.Address.Split('?')[0].EndsWith("dicomweb/studies", StringComparison.Ordinal)) return;
            foreach (var row in reply.Rows)
            {
                var study = int.Parse(((string)row!["0020000D"]!["Value"]![0]!).Split('.')[3], CultureInfo.InvariantCulture);
                var seen = Enumerable.Range(0, 2).Where(b => MaySee(user, study, b) && IsBehind(request.Address, b)).ToList();
                Assert.Equal((what, seen.Count), (what, (int)row["00201206"]!["Value"]![0]!));
                Assert.Equal((what, seen.Sum(b => 1 + b)), (what, (int)row["00201208"]!["Value"]![0]!));
            }
        }

        private bool Reaches(int user, int study, string address) =>
            Enumerable.Range(0, 2).Any(b => MaySee(user, study, b) && IsBehind(address, b));

        private static bool IsBehind(string address, int backend) =>
            !address.StartsWith("/backends/", StringComparison.Ordinal)
            || address.StartsWith(backend == 0 ? "/backends/east/" : "/backends/west/", StringComparison.Ordinal);

        private bool MaySee(int user, int study) => MaySee(user, study, 0) || MaySee(user, study, 1);

        private bool MaySee(int user, int study, int backend) =>
            study < StudyCount && _studies[study] is var (patient, modality, isIn) && isIn[backend]
            && _rules.Exists(rule => rule.Role == $"r{user}"
                && (rule.Backend is null || rule.Backend == (backend == 0 ? "east" : "west"))
                && (rule.Modality is null || rule.Modality == modality)
                && rule.Patients switch
                {
                    null => true,
                    "A*" => patient[0] == 'A',
                    "?1" => patient[1] == '1',
                    _ => rule.Patients == patient,
                });

        private static IEnumerable<(string, string)> Write(
            (string Role, string? Patients, string? Modality, string? Backend) rule, int number)
        {
            var key = $"Security:Access:Rules:rule{number}";
            yield return ($"{key}:Roles", rule.Role);
            if (rule.Patients is not null) yield return ($"{key}:PatientIds", rule.Patients);
            if (rule.Modality is not null) yield return ($"{key}:Modalities:0", rule.Modality);
            if (rule.Backend is not null) yield return ($"{key}:Backends:0", rule.Backend);
        }

        private static T Pick<T>(Random random, params ReadOnlySpan<T> values) => values[random.Next(values.Length)];

        [GeneratedRegex(@"1\.2\.9\.(\d+)(?:\.(\d+))?")]
        private static partial Regex Named();
    }
}
