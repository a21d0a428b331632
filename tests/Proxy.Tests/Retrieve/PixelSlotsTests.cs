using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Retrieve;
using Xunit;

namespace Proxy.Tests.Retrieve;

public sealed class PixelSlotsTests
{
    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    private readonly FakeTimeProvider _time = new();
    private readonly InFlightBytes _memory = new(0);

    [Fact]
    public async Task ALaterCallerWaits_UntilASlotIsLeft()
    {
        using var slots = new PixelSlots(_memory, _time, 1);
        var first = await slots.EnterAsync(10, Stopped);
        var second = slots.EnterAsync(10, Stopped);
        Assert.False(second.IsCompleted);

        first!.Dispose();
        first.Dispose();

        using var entered = await second;
        Assert.NotNull(entered);
        Assert.Equal(10, _memory.Bytes);
        Assert.False(slots.EnterAsync(10, Stopped).IsCompleted);
    }

    [Fact]
    public async Task ALeftPlaceIsFree_WhileItsMemoryIsHeld()
    {
        using var slots = new PixelSlots(_memory, _time, 1);
        using var first = await slots.EnterAsync(10, Stopped);
        first!.LeavePlace();

        using var second = await slots.EnterAsync(5, Stopped);

        Assert.NotNull(second);
        Assert.Equal(15, _memory.Bytes);
        first.Dispose();
        Assert.Equal(5, _memory.Bytes);
        Assert.False(slots.EnterAsync(5, Stopped).IsCompleted);
    }

    [Fact]
    public async Task NoSlot_WhenNoneIsFreeInTime()
    {
        using var slots = new PixelSlots(_memory, _time, 1);
        using var first = await slots.EnterAsync(10, Stopped);
        var second = slots.EnterAsync(10, Stopped);

        _time.Advance(PixelSlots.MaxWait);

        Assert.Null(await second);
    }

    [Fact]
    public async Task NoSlot_WhenTooManyWait()
    {
        using var slots = new PixelSlots(_memory, _time, 1);
        using var first = await slots.EnterAsync(10, Stopped);
        var waiting = Enumerable.Range(0, PixelSlots.MaxWaitingPerSlot).Select(_ => slots.EnterAsync(10, Stopped)).ToList();

        Assert.Null(await slots.EnterAsync(10, Stopped));
        Assert.All(waiting, w => Assert.False(w.IsCompleted));
    }

    [Fact]
    public async Task NoSlot_WhenTheMemoryDoesNotSuffice()
    {
        using var slots = new PixelSlots(_memory, _time, 1);

        Assert.Null(await slots.EnterAsync(InFlightBytes.MinLimit + 1, Stopped));

        using var next = await slots.EnterAsync(10, Stopped);
        Assert.NotNull(next);
    }

    [Fact]
    public async Task ALaterCallerWaits_UntilMemoryIsReleased()
    {
        using var slots = new PixelSlots(_memory, _time, 2);
        var first = await slots.EnterAsync(InFlightBytes.MinLimit, Stopped);
        var second = slots.EnterAsync(InFlightBytes.MinLimit, Stopped);
        _time.Advance(PixelSlots.MemoryInterval);
        Assert.False(second.IsCompleted);

        first!.Dispose();
        _time.Advance(PixelSlots.MemoryInterval);

        using var entered = await second;
        Assert.NotNull(entered);
        Assert.Equal(InFlightBytes.MinLimit, _memory.Bytes);
    }

    [Fact]
    public async Task ACallerThatWaitsForMemoryInVain_LeavesItsSlot()
    {
        using var slots = new PixelSlots(_memory, _time, 2);
        using var first = await slots.EnterAsync(InFlightBytes.MinLimit, Stopped);
        var second = slots.EnterAsync(10, Stopped);

        _time.Advance(PixelSlots.MaxWait);

        Assert.Null(await second);
        first!.Dispose();
        using var third = await slots.EnterAsync(10, Stopped);
        using var fourth = await slots.EnterAsync(10, Stopped);
        Assert.NotNull(third);
        Assert.NotNull(fourth);
    }

    [Fact]
    public async Task ACancelledCallerLeavesTheQueue()
    {
        using var slots = new PixelSlots(_memory, _time, 1);
        using var stop = new CancellationTokenSource();
        var first = await slots.EnterAsync(10, Stopped);
        var second = slots.EnterAsync(10, stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        first!.Dispose();
        using var third = await slots.EnterAsync(10, Stopped);
        Assert.NotNull(third);
    }
}
