using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Bytes in memory outside the tier: counted in one place, limited, and taken from the tier's budget.</summary>
public sealed class InFlightTests : IDisposable
{
    private const long Budget = 64 << 20;

    private static readonly EntryHead Head = new("application/octet-stream", "1.2.840.10008.1.2.1", null);

    private readonly MemoryParts _memory = new(Budget, TimeProvider.System);

    private InFlightBytes InFlight => _memory.InFlight;

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void ReservesAtMostHalfOfTheBudget()
    {
        Assert.True(InFlight.TryReserve(Budget / 2));
        Assert.False(InFlight.TryReserve(1));
        Assert.Equal(Budget / 2, InFlight.Bytes);
        InFlight.Release(1);
        Assert.True(InFlight.TryReserve(1));
    }

    [Fact]
    public void IsExhausted_WhenWindowsTakeAQuarterMore()
    {
        InFlight.Reserve(Budget / 2 + Budget / 8);
        Assert.False(InFlight.IsExhausted);
        InFlight.Reserve(1);
        Assert.True(InFlight.IsExhausted);
    }

    [Fact]
    public void ShrinksTheTier_WhileBytesAreInFlight()
    {
        for (var i = 0; i < 64; i++) _memory.Add(i, "value", 1 << 20);
        Assert.InRange(_memory.Bytes, Budget / 10 * 9, Budget);
        Assert.True(InFlight.TryReserve(Budget / 2));
        Assert.InRange(_memory.Bytes, 1, Budget / 2);
        for (var i = 0; i < 64; i++) _memory.Add(i, "value", 1 << 20);
        Assert.InRange(_memory.Bytes, 1, Budget / 2);

        InFlight.Release(Budget / 2);
        for (var i = 0; i < 64; i++) _memory.Add(i, "value", 1 << 20);
        Assert.InRange(_memory.Bytes, Budget / 10 * 9, Budget);
    }

    [Fact]
    public void CountsABodyAsInFlight_WhileItIsReadButNotCached()
    {
        var usage = new BodyUsage(InFlight, 100);
        usage.AddReader();
        usage.AddReader();
        Assert.Equal(100, InFlight.Bytes);
        usage.AddHolder();
        Assert.Equal(0, InFlight.Bytes);
        // Moves from one part of the tier to another.
        usage.AddHolder();
        usage.RemoveHolder();
        Assert.Equal(0, InFlight.Bytes);
        usage.RemoveReader();
        usage.RemoveHolder();
        Assert.Equal(100, InFlight.Bytes);
        usage.RemoveReader();
        Assert.Equal(0, InFlight.Bytes);
    }

    [Fact]
    public async Task ReleasesAllBytes_AfterManyReadersAndTheTier()
    {
        var usage = new BodyUsage(InFlight, 100);
        await Parallel.ForAsync(0, 8, Stopped, (_, _) =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                usage.AddReader();
                usage.AddHolder();
                usage.RemoveHolder();
                usage.RemoveReader();
            }
            return ValueTask.CompletedTask;
        });
        Assert.Equal(0, InFlight.Bytes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(300_000L)]
    public async Task CountsABody_UntilItsLastReaderLeaves(long? declared)
    {
        var body = new InFlightBody(1 << 20, null, InFlight);
        var reader = body.Join()!;
        body.Begin(Head with { Length = declared });
        await body.WriteAsync(new byte[300_000], Stopped);
        Assert.InRange(InFlight.Bytes, 300_000, 600_000);

        var (entry, _) = await body.CompleteAsync(Head with { Length = 300_000 }, default);
        Assert.Equal(300_000, InFlight.Bytes);
        _memory.Add("key", entry!, 300_000, usage: entry!.Usage);
        Assert.Equal(0, InFlight.Bytes);
        _memory.Remove("key");
        await Pacs.Until.TrueAsync(() => InFlight.Bytes == 300_000);
        body.Close();
        Assert.Equal(300_000, InFlight.Bytes);
        reader.Dispose();
        Assert.Equal(0, InFlight.Bytes);
    }

    [Fact]
    public async Task UsesAWindowAndReleasesAllBytes_WhenTheLimitIsReached()
    {
        Assert.True(InFlight.TryReserve(InFlight.Limit));
        var body = new InFlightBody(1 << 20, null, InFlight);
        var reader = body.Join()!;
        body.Begin(Head with { Length = 500_000 });
        Assert.Null(body.Join());
        for (var i = 0; i < 10; i++)
        {
            await body.WriteAsync(new byte[50_000], Stopped);
            for (var read = 0; read < 50_000; read += (await reader.ReadAsync(Stopped)).Length) { }
        }
        Assert.InRange(InFlight.Bytes, InFlight.Limit + 1, InFlight.Limit + 400_000);
        Assert.Null((await body.CompleteAsync(Head, default)).Entry);
        body.Close();
        reader.Dispose();
        Assert.Equal(InFlight.Limit, InFlight.Bytes);
    }

    [Fact]
    public async Task ReleasesAllBytes_WhenTheFetchFails()
    {
        var body = new InFlightBody(1 << 20, null, InFlight);
        var reader = body.Join()!;
        body.Begin(Head with { Length = 500_000 });
        await body.WriteAsync(new byte[100_000], Stopped);
        body.End(new("east", Proxy.Backends.BackendError.BadAnswer, "cut"));
        body.Close();
        reader.Dispose();
        Assert.Equal(0, InFlight.Bytes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1001L)]
    public async Task RefusesABodyAboveTheMaximum(long? declared)
    {
        var body = new InFlightBody(1 << 20, null, InFlight, maxBytes: 1000);
        using var reader = body.Join()!;
        await Assert.ThrowsAsync<MalformedAnswerException>(async () =>
        {
            body.Begin(Head with { Length = declared });
            await body.WriteAsync(new byte[1001], Stopped);
        });
    }
}
