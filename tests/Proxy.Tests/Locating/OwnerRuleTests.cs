using FsCheck;
using FsCheck.Xunit;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Xunit;

namespace Proxy.Tests.Locating;

/// <summary>For any holders, instance counts, preferences, failures and owner, a series is served from one backend.</summary>
public sealed class OwnerRuleTests
{
    private static readonly Uid Series = Uid.Parse("1.2.1");

    private static readonly Uid Other = Uid.Parse("1.2.2");

    private static readonly string[] Names = ["east", "north", "south", "west"];

    /// <summary>One random situation of a series.</summary>
    private sealed class Situation
    {
        public Situation(int seed)
        {
            Random = new(seed);
            Preferences = Names.ToDictionary(name => name, _ => Random.Next(3));
            Counts = Names.Where(_ => Random.Next(4) > 0).ToDictionary(name => name, _ => Random.Next(1, 4));
            Failed = [.. Names.Where(_ => Random.Next(3) == 0)];
            Steady = [.. Names.Where(_ => Random.Next(2) == 0)];
            Owner = Random.Next(3) == 0 ? null : Names[Random.Next(Names.Length)];
        }

        public Random Random { get; }

        public Dictionary<string, int> Preferences { get; }

        /// <summary>The number of instances that each holder has.</summary>
        public Dictionary<string, int> Counts { get; }

        public HashSet<string> Failed { get; }

        public HashSet<string> Steady { get; }

        public string? Owner { get; set; }

        public OwnerRule Rule => new(name => Preferences[name], (name, _) => Steady.Contains(name));

        public Access Access => new(
            "", [.. Names.Select(name => new BackendOptions(name, new("http://pacs")) { Preference = Preferences[name] })]);

        /// <summary>The holders that did not fail, by the rule in its plainest form.</summary>
        public List<string> Answering => [.. Counts.Keys.Where(name => !Failed.Contains(name))
            .OrderByDescending(name => Counts[name]).ThenBy(name => Preferences[name]).ThenBy(name => name, StringComparer.Ordinal)];

        public StudyHolders Places => new(
            Study, [.. Failed.Select(name => new BackendFailure(name, BackendError.Unreachable, "down"))], WasAsked: true);

        public Study Study
        {
            get
            {
                var study = new Study(Uid.Parse("1.2"));
                // The order in which the backends answered.
                foreach (var name in Names.OrderBy(_ => Random.Next()))
                {
                    var list = new SeriesList(name).With(new Series(Other) { SummaryCount = 9 });
                    if (Counts.TryGetValue(name, out var count)) list = list.With(new Series(Series) { SummaryCount = count });
                    study = study.With(list);
                }
                return Owner is null ? study : study with { Owners = study.Owners.SetItem(Series, Owner) };
            }
        }

        public List<string> GetCandidates() => [.. Rule.GetCandidates(Places, Access, Series).Select(list => list.Backend)];

        public List<string> GetHolders() => [.. Rule.GetHolders(Study, Access, Series).Select(list => list.Backend)];
    }

    [Property]
    public void EveryAnsweringHolderIsACandidateOnce(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        Assert.Equal(situation.Answering.Order(StringComparer.Ordinal), situation.GetCandidates().Order(StringComparer.Ordinal));
        Assert.Equal(situation.Counts.Keys.Order(StringComparer.Ordinal), situation.GetHolders().Order(StringComparer.Ordinal));
    }

    [Property]
    public void MoreInstancesWin_ThenThePreference_ThenTheName(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item) { Owner = null };
        Assert.Equal(situation.Answering, situation.GetCandidates());
        situation.Failed.Clear();
        Assert.Equal(situation.Answering, situation.GetHolders());
    }

    [Property]
    public void TheOrderOfTheAnswersDoesNotMatter(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        Assert.Equal(situation.GetCandidates(), situation.GetCandidates());
        Assert.Equal(situation.GetHolders(), situation.GetHolders());
        if (situation.Counts.Count == 0) return;
        Assert.Equal(Choose(situation), Choose(situation));
    }

    [Property]
    public void TheOwnerKeepsTheSeries_WhileItAnswersAndNoOtherHolderIsBetter(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        if (situation.Owner is not { } owner || !situation.Answering.Contains(owner)) return;
        var first = situation.Answering[0];
        var moves = situation.Counts[first] > situation.Counts[owner] || situation.Steady.Contains(first);
        Assert.Equal(moves ? first : owner, situation.GetCandidates()[0]);
    }

    [Property]
    public void TheSeriesMovesToTheNextHolder_WhenTheOwnerFails(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        if (situation.Owner is { } owner) situation.Failed.Add(owner);
        Assert.Equal(situation.Answering, situation.GetCandidates());
    }

    [Property]
    public void MetadataAndPixelsComeFromOneBackend(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        if (situation.GetCandidates() is not [var owner, ..]) return;
        // Reading the metadata binds the series.
        situation.Owner = owner;
        Assert.Equal(owner, situation.GetHolders()[0]);
        Assert.Equal(owner, Choose(situation));
        Assert.All(Names, name => Assert.Equal(name == owner ? null : owner, Replaced(situation, name)));
        // It stays bound while nothing changes.
        Assert.Equal(owner, situation.GetCandidates()[0]);
    }

    [Property]
    public void SearchesShowTheInstancesOfTheBackendThatServesThem(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        if (situation.Counts.Count > 0) Assert.Equal(situation.GetHolders()[0], Choose(situation));
    }

    [Property]
    public void OnlyBackendsOfTheRootAreUsed(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        var only = situation.Access with { Name = "west", Backends = [.. situation.Access.Backends.Where(b => b.Name == "west")] };
        Assert.All(situation.Rule.GetHolders(situation.Study, only, Series), list => Assert.Equal("west", list.Backend));
        Assert.All(situation.Rule.GetCandidates(situation.Places, only, Series), list => Assert.Equal("west", list.Backend));
        Assert.All(Names, name => Assert.Null(OwnerRule.FindReplaced(situation.Study, only, Series, name)));
    }

    [Property]
    public void AFrameIsAbsent_WhenTheOwnerHasTheSeriesWithoutTheFrame(DoNotSize<int> seed)
    {
        var situation = new Situation(seed.Item);
        var without = Names.Where(_ => situation.Random.Next(2) == 0).ToHashSet();
        var isAbsent = situation.Owner is { } owner && situation.Counts.ContainsKey(owner) && without.Contains(owner);
        Assert.Equal(isAbsent, OwnerRule.IsAbsent(situation.Study, Series, situation.Owner, without));
    }

    [Theory]
    [InlineData(null, "", null, true)]
    [InlineData("east", "west", null, true)]
    [InlineData("east", "east west", null, false)]
    [InlineData("east", "east west", BackendError.Busy, false)]
    [InlineData("east", "east west", BackendError.Unreachable, true)]
    public void ABackendBecomesTheOwner_WhenTheOwnerLostTheSeriesOrFailed(
        string? replaced, string holders, BackendError? error, bool becomesOwner)
    {
        BackendFailure[] failures = error is { } e ? [new("east", e, "it failed")] : [new("south", BackendError.Unreachable, "down")];
        Assert.Equal(becomesOwner, OwnerRule.BecomesOwner(replaced, holders.Split(' '), failures));
    }

    [Fact]
    public void BackendsThatListNothingComeLast()
    {
        var study = new Study(Uid.Parse("1.2"))
            .With(new SeriesList("east") { IsUnlisted = true })
            .With(new SeriesList("west").With(new Series(Series) { SummaryCount = 1 }));
        var rule = new OwnerRule(_ => 0, (_, _) => true);
        var access = new Situation(0).Access;
        Assert.Equal(["west", "east"], rule.GetCandidates(new(study, [], true), access, Series).Select(list => list.Backend));
        Assert.Equal(["west"], rule.GetHolders(study, access, Series).Select(list => list.Backend));
    }

    private static string? Replaced(Situation situation, string name) =>
        OwnerRule.FindReplaced(situation.Study, situation.Access, Series, name);

    private static string Choose(Situation situation) => OwnerRule.Choose(
        [.. situation.Counts.OrderBy(_ => situation.Random.Next()).Select(c => new Holder(c.Key, c.Value, situation.Preferences[c.Key]))],
        situation.Owner).Backend;
}
