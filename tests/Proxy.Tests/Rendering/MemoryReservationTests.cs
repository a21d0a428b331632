using Proxy.Cache;
using Proxy.Rendering.Making;
using Xunit;

namespace Proxy.Tests.Rendering;

public sealed class MemoryReservationTests
{
    private readonly InFlightBytes _memory = new(0);

    [Fact]
    public void CountsTheLargestTotal_UntilItIsDisposed()
    {
        var reservation = new MemoryReservation(_memory);
        Assert.True(reservation.TryGrow(100));
        Assert.True(reservation.TryGrow(300));
        Assert.True(reservation.TryGrow(200));
        Assert.Equal(300, _memory.Bytes);

        reservation.Dispose();
        reservation.Dispose();

        Assert.Equal(0, _memory.Bytes);
    }

    [Fact]
    public void KeepsWhatItHas_WhenTheBudgetIsUsedUp()
    {
        using var reservation = new MemoryReservation(_memory);
        Assert.True(reservation.TryGrow(100));

        Assert.False(reservation.TryGrow(InFlightBytes.MinLimit + 1));

        Assert.Equal(100, _memory.Bytes);
    }
}
