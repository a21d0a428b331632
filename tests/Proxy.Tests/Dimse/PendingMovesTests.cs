using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Dimse.Receiving;
using Xunit;

namespace Proxy.Tests.Dimse;

public class PendingMovesTests
{
    private static readonly Uid One = Uid.Parse("1.2.1");
    private static readonly Uid Other = Uid.Parse("1.2.2");

    private readonly PendingMoves _moves = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FindsTheMove_ByItsOriginator()
    {
        using var first = await _moves.BeginAsync(Backend("east", "PACS"), [One], Cancel);
        using var second = await _moves.BeginAsync(Backend("east", "PACS"), [One, Other], Cancel);
        using var west = await _moves.BeginAsync(Backend("west", "WEST"), [One], Cancel);

        Assert.Same(second, Find(Store("PROXY", second.Id), One));
        Assert.Same(first, Find(Store("PROXY", first.Id), One));
        Assert.Null(Find(Store("PROXY", first.Id), Other));
        Assert.Null(Find(Store("OTHER", first.Id), One));
        Assert.Null(Find(Store("PROXY", west.Id), One));
        first.Dispose();
        Assert.Null(Find(Store("PROXY", first.Id), One));
    }

    [Fact]
    public async Task RunsOneMoveAtATime_WhenThePacsDoesNotSendTheOriginator()
    {
        var first = await _moves.BeginAsync(Backend("east", "PACS"), [One], Cancel);
        Assert.Same(first, Find(Store(null, null), One));
        Assert.Null(Find(Store(null, null), Other));
        first.Dispose();

        var second = await _moves.BeginAsync(Backend("east", "PACS"), [One], Cancel);
        var third = _moves.BeginAsync(Backend("east", "PACS"), [Other], Cancel);
        Assert.False(third.IsCompleted);
        using var west = await _moves.BeginAsync(Backend("west", "WEST"), [One], Cancel);
        second.Dispose();

        using var waited = await third;
        Assert.Same(waited, Find(Store(null, null), Other));
    }

    private PendingMove? Find(CommandSet store, Uid instance) => _moves.Find("PACS", "PROXY", store, instance);

    private static BackendOptions Backend(string name, string title) =>
        new(name, new("dicom://127.0.0.1:104")) { Dimse = new("127.0.0.1", 104, title, "PROXY") };

    private static CommandSet Store(string? originator, ushort? id) => originator is null
        ? new(CommandField.StoreRequest)
        : new(CommandField.StoreRequest) { MoveOriginator = originator, MoveOriginatorId = id };
}
