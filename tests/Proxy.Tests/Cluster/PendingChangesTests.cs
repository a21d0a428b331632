using Proxy.Cluster.Changes;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Cluster;

public class PendingChangesTests
{
    private const int Max = 16;

    private readonly PendingChanges _pending = new(Max);

    [Fact]
    public void AnEqualChangeIsJoined_UntilTheFirstIsSent()
    {
        var first = _pending.Add(Purge(1));

        Assert.Same(first, _pending.Add(Purge(1)));
        Assert.Same(first, _pending.FindUnannounced());
        Assert.NotSame(first, _pending.Add(Purge(1)));
        Assert.Equal(2, _pending.Count);
    }

    [Fact]
    public void ManyChangesOfOneStudyBecomeOne_AndOthersStayAsTheyAre()
    {
        var other = new Change(new("east", Study(2), Study(2), Study(3)));
        List<Change> changes = [other, .. Enumerable.Range(1, 50).Select(i => new Change(new("east", Study(1), Study(1), Study(i))))];

        var collapsed = PendingChanges.Collapse(changes, Max);

        Assert.Equivalent(new[] { other, new Change(new("east", Study(1))) }, collapsed, strict: true);
    }

    [Fact]
    public void ChangesOfTooManyStudiesBecomeOneForTheirBackend_AndPurgesOfOtherStudiesStay()
    {
        List<Change> changes =
        [
            Purge(99), .. Enumerable.Range(1, 50).Select(i => new Change(new("east", Study(i)))),
            .. Enumerable.Range(1, 50).Select(OfMetadata),
        ];

        var collapsed = PendingChanges.Collapse(changes, Max);

        Assert.Equal(
            [Purge(99), new(new("east")), new(new("west", default(Uid)) { KeepsBodies = true })],
            collapsed.OrderBy(change => change.Removal.Backend, StringComparer.Ordinal));

        static Change OfMetadata(int study) => new(new("west", Study(study)) { KeepsBodies = true });
    }

    [Fact]
    public async Task AWaitEndsWithTheChangeThatReplacesIt()
    {
        List<PendingChange> all = [.. Enumerable.Range(1, 2 * Max).Select(i => _pending.Add(new(new("east", Study(1), Study(i)))))];

        Assert.True(_pending.Count <= Max);
        while (_pending.FindUnannounced() is { } next)
        {
            next.Position = new(Guid.Empty, 1);
            _pending.End(next);
        }
        await Task.WhenAll(all.Select(pending => pending.Done.Task));
    }

    [Fact]
    public void ChangesAreTakenAgain_OnceForEachNewLog()
    {
        var recent = new RecentChanges(Max, TimeProvider.System);
        var (before, after) = (Guid.NewGuid(), Guid.NewGuid());
        recent.Add(Purge(1), before);
        recent.Add(Purge(2), before);
        recent.Add(Purge(2), after);

        Assert.Equal([Purge(1)], recent.TakeMissing(after));
        Assert.Empty(recent.TakeMissing(after));
    }

    private static Uid Study(int number) => Uid.Parse($"1.2.{number}");

    private static Change Purge(int study) => new(new(Study: Study(study)));
}
