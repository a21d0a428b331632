using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Cache;

public class InFlightBodyTests
{
    private const int KeepUpTo = 1024 * 1024;

    private static readonly EntryHead Head = new("application/octet-stream", "1.2.840.10008.1.2.1", null);

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    private readonly InFlightBody _body = new(KeepUpTo);

    [Fact]
    public async Task ReadsArrivedBytesAtOnce_ThenFollows()
    {
        using var early = _body.Join()!;
        _body.Begin(Head);
        _body.Open();
        var waiting = early.ReadAsync(Stopped).AsTask();
        Assert.False(waiting.IsCompleted);

        await _body.WriteAsync(Bytes(1, 3), Stopped);
        Assert.Equal([1, 1, 1], (await waiting).ToArray());

        using var late = _body.Join()!;
        await _body.WriteAsync(Bytes(2, 2), Stopped);
        Assert.Equal([1, 1, 1, 2, 2], (await late.ReadAsync(Stopped)).ToArray());
        Assert.Equal([2, 2], (await early.ReadAsync(Stopped)).ToArray());

        await _body.CompleteAsync(Head with { Length = 5 }, default);
        Assert.True((await early.ReadAsync(Stopped)).IsEmpty);
        Assert.True((await late.ReadAsync(Stopped)).IsEmpty);
    }

    [Fact]
    public async Task FollowsAWriter_ThatWritesBetweenTwoStepsOfARead()
    {
        const int Writes = 100_000;
        using var reader = _body.Join()!;
        _body.Begin(Head);
        _body.Open();
        var reading = Task.Run(() => ReadAllAsync(reader), Stopped);
        for (var i = 0; i < Writes; i++) await _body.WriteAsync(Bytes(1, 1), Stopped);
        await _body.CompleteAsync(Head, default);
        Assert.Equal(Writes, await reading);
    }

    [Fact]
    public async Task ContinuesAtAnOffset_ThatArrivesLater()
    {
        using var reader = _body.Join()!;
        _body.Begin(Head);
        _body.Open();
        await reader.MoveToAsync(4, Stopped);
        var waiting = reader.ReadAsync(Stopped).AsTask();
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        Assert.False(waiting.IsCompleted);

        await _body.WriteAsync(Bytes(2, 3), Stopped);
        Assert.Equal([2, 2], (await waiting).ToArray());
        await reader.MoveToAsync(1, Stopped);
        await _body.CompleteAsync(Head with { Length = 6 }, default);
        Assert.True((await reader.ReadAsync(Stopped)).IsEmpty);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ContinuesTheFetchWithoutReaders_OnlyIfOneAskedForThat(bool isKept)
    {
        var reader = _body.Join()!;
        _body.Begin(Head);
        _body.Open();
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        if (isKept) reader.KeepFetching();
        reader.Dispose();

        Assert.Equal(!isKept, _body.Stopped.IsCancellationRequested);
        using var late = _body.Join();
        Assert.Equal(isKept, late is not null);
    }

    [Fact]
    public async Task StopsAFetchWithoutReaders_WhenItsBodyCannotBeCached()
    {
        var reader = _body.Join()!;
        _body.Begin(Head);
        _body.Open();
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        reader.KeepFetching();
        reader.Dispose();
        Assert.False(_body.Stopped.IsCancellationRequested);

        await _body.WriteAsync(Bytes(2, KeepUpTo), Stopped);
        await _body.WriteAsync(Bytes(3, 1), Stopped);

        Assert.True(_body.Stopped.IsCancellationRequested);
    }

    [Fact]
    public async Task HoldsTheHeadBack_UntilOpened()
    {
        using var reader = _body.Join()!;
        var head = reader.ReadHeadAsync(Stopped);
        _body.Begin(Head);
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        Assert.False(head.IsCompleted);
        _body.Open();
        Assert.Equal(Head, (await head).Value);
    }

    [Fact]
    public async Task ReturnsAFailure_BeforeTheHead()
    {
        using var reader = _body.Join()!;
        _body.Begin(Head);
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        var failure = new BackendFailure("east", BackendError.BadAnswer, "cut");
        _body.End(failure);
        Assert.Equal(failure, (await reader.ReadHeadAsync(Stopped)).Failure);
        Assert.Null(_body.Join());
    }

    [Fact]
    public async Task ReturnsNotFound_WhenTheBodyDoesNotExist()
    {
        using var reader = _body.Join()!;
        _body.End(null);
        var answer = await reader.ReadHeadAsync(Stopped);
        Assert.False(answer.IsFound);
        Assert.Null(answer.Failure);
    }

    [Fact]
    public async Task CutsTheBodyOff_WhenTheBackendFailsAfterTheHead()
    {
        using var reader = _body.Join()!;
        using var waiting = _body.Join()!;
        _body.Begin(Head);
        _body.Open();
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        await waiting.ReadAsync(Stopped);
        var more = waiting.ReadAsync(Stopped).AsTask();
        _body.End(new("east", BackendError.BadAnswer, "cut"));
        await Assert.ThrowsAsync<TruncatedBodyException>(() => more);
        await Assert.ThrowsAsync<TruncatedBodyException>(() => reader.ReadAsync(Stopped).AsTask());
        Assert.True((await reader.ReadHeadAsync(Stopped)).IsFound);
    }

    [Fact]
    public async Task KeepsOtherReadersGoing_WhenOneIsCancelled()
    {
        using var stop = new CancellationTokenSource();
        using var leaver = _body.Join()!;
        using var stayer = _body.Join()!;
        var left = leaver.ReadAsync(stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        leaver.Dispose();
        leaver.Dispose();
        Assert.False(_body.Stopped.IsCancellationRequested);

        _body.Begin(Head);
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        Assert.Equal(3, (await stayer.ReadAsync(Stopped)).Length);
        stayer.Dispose();
        Assert.True(_body.Stopped.IsCancellationRequested);
        Assert.Null(_body.Join());
    }

    [Fact]
    public async Task CancelsNothing_WhenReadersLeaveACompleteBody()
    {
        var reader = _body.Join()!;
        _body.Begin(Head);
        await _body.WriteAsync(Bytes(1, 3), Stopped);
        await _body.CompleteAsync(Head, default);
        reader.Dispose();
        Assert.False(_body.Stopped.IsCancellationRequested);
        using var late = _body.Join()!;
        Assert.Equal(3, (await late.ReadAsync(Stopped)).Length);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(300_000L)]
    public async Task HoldsACompleteBody_InNoMoreMemoryThanItsLength(long? declared)
    {
        var head = Head with { Length = declared };
        using var reader = _body.Join()!;
        _body.Begin(head);
        for (var i = 0; i < 30; i++) await _body.WriteAsync(Bytes((byte)i, 10_000), Stopped);
        var entry = (await _body.CompleteAsync(head, DateTimeOffset.UnixEpoch)).Entry!;

        Assert.Equal((head, 300_000L, DateTimeOffset.UnixEpoch), (entry.Head, entry.Length, entry.Stored));
        Assert.Equal(Enumerable.Range(0, 30).SelectMany(i => Bytes((byte)i, 10_000)), entry.Pieces.SelectMany(p => p.ToArray()));
        Assert.Equal(300_000, entry.Pieces.Sum(p => MemoryMarshal.TryGetArray(p, out var array) ? array.Array!.Length : 0));
    }

    [Fact]
    public async Task AllocatesNothing_ForADeclaredLengthAlone()
    {
        var body = new InFlightBody(long.MaxValue);
        using var other = body.Join();
        var before = GC.GetAllocatedBytesForCurrentThread();
        body.Begin(Head with { Length = 1L << 40 });
        await body.WriteAsync(Bytes(1, 3), Stopped);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 * 1024 * 1024);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(64L * 1024 * 1024)]
    public async Task WaitsForTheSlowestReader_OfALargeBody(long? declared)
    {
        using var reader = _body.Join()!;
        _body.Begin(Head with { Length = declared });
        var piece = Bytes(1, 64 * 1024);
        long written = 0, read = 0, mostAhead = 0;
        Task<ReadOnlyMemory<byte>>? reading = null;
        while (written < 64 * 1024 * 1024)
        {
            var writing = _body.WriteAsync(piece, Stopped).AsTask();
            while (!writing.IsCompleted)
            {
                // The writer may complete while the reader waits for more: neither waits for the other alone.
                reading ??= reader.ReadAsync(Stopped).AsTask();
                if (await Task.WhenAny(reading, writing) == writing) break;
                read += (await reading).Length;
                reading = null;
            }
            await writing;
            written += piece.Length;
            mostAhead = Math.Max(mostAhead, written - read);
        }
        _body.Open();
        Assert.Equal(default, await _body.CompleteAsync(Head, default));
        if (reading is not null) read += (await reading).Length;
        read += await ReadAllAsync(reader);
        Assert.Equal(written, read);
        Assert.InRange(mostAhead, 1024 * 1024, 5 * 1024 * 1024);
    }

    [Fact]
    public async Task Continues_WhenTheSlowestReaderOfALargeBodyLeaves()
    {
        using var fast = _body.Join()!;
        using var slow = _body.Join()!;
        _body.Begin(Head);
        var piece = Bytes(1, 64 * 1024);
        ValueTask writing;
        while ((writing = _body.WriteAsync(piece, Stopped)).IsCompleted)
        {
            await writing;
            await fast.ReadAsync(Stopped);
        }
        slow.Dispose();
        await writing;
        Assert.False(_body.Stopped.IsCancellationRequested);
    }

    [Fact]
    public async Task RefusesToJoin_ALargeBody()
    {
        using var reader = _body.Join()!;
        _body.Begin(Head with { Length = KeepUpTo });
        Assert.NotNull(_body.Join());
        await _body.WriteAsync(Bytes(1, KeepUpTo + 1), Stopped);
        Assert.Null(_body.Join());

        var declared = new InFlightBody(KeepUpTo);
        using var first = declared.Join();
        declared.Begin(Head with { Length = KeepUpTo + 1 });
        Assert.Null(declared.Join());
    }

    [Fact]
    public async Task DropsBytes_OnceAllReadersHaveThem()
    {
        using var reader = _body.Join()!;
        _body.Begin(Head with { Length = 64 * 1024 * 1024 });
        var first = await WriteAndReadAsync(reader);
        for (var i = 0; i < 40; i++) await WriteAndReadAsync(reader);
        GC.Collect();
        Assert.False(first.TryGetTarget(out _));
    }

    private static async Task<long> ReadAllAsync(InFlightBody.Reader reader)
    {
        long read = 0;
        for (ReadOnlyMemory<byte> some; !(some = await reader.ReadAsync(Stopped)).IsEmpty;) read += some.Length;
        return read;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<WeakReference<byte[]>> WriteAndReadAsync(InFlightBody.Reader reader)
    {
        await _body.WriteAsync(Bytes(1, 64 * 1024), Stopped);
        MemoryMarshal.TryGetArray(await reader.ReadAsync(Stopped), out var array);
        return new(array.Array!);
    }

    private static byte[] Bytes(byte value, int count)
    {
        var bytes = new byte[count];
        Array.Fill(bytes, value);
        return bytes;
    }
}
