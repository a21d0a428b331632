using System.Buffers;
using Proxy.Cache;
using Proxy.Retrieve.Checks;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Copies a body from a backend into an in-flight body while checking it.</summary>
/// <remarks>
/// <code>
/// 1 start    read the first bytes until the check identifies them; clients receive nothing before
/// 2 hold     up to 64 KiB, or until the backend pauses: a small body is then complete, or fails with a clear error
/// 3 pass     forward the rest as it arrives; an error from here on closes the clients' connections
/// 4 prove    check length and end before anything is cached
/// </code>
/// </remarks>
internal static class InFlightBodyCopy
{
    /// <summary>The number of bytes that are checked before clients receive any.</summary>
    private const int HeldBytes = 64 * 1024;

    /// <summary>When the backend pauses for longer, the received bytes are forwarded.</summary>
    private static readonly TimeSpan HeldFor = TimeSpan.FromMilliseconds(20);

    /// <summary>Copies the only part of a multipart body, whose closing delimiter proves its end.</summary>
    /// <exception cref="MalformedAnswerException">
    /// It is not the requested object, its length differs from the declared one, another part follows, or the closing delimiter is missing.
    /// </exception>
    public static async Task<EntryHead> PartAsync(
        MultipartReader multipart, EntryHead declared, BodyCheck check, InFlightBody inFlight, CancellationToken cancellation)
    {
        var head = await CopyAsync(multipart.ReadBodyAsync, declared, check, isEndProved: true, inFlight, cancellation);
        if (await multipart.ReadPartAsync(cancellation) is not null)
            throw new MalformedAnswerException("The answer has more parts than requested.");
        return head;
    }

    /// <summary>Copies a body that is not multipart.</summary>
    /// <param name="body">Its bytes.</param>
    /// <param name="declared">The head that the answer declares.</param>
    /// <param name="check">Checks that it is the requested object.</param>
    /// <param name="isEndProved">True when the transport detects a truncated body; otherwise only its length can prove its end.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">
    /// It is not the requested object, nothing proves its end, or its length differs from the declared one.
    /// </exception>
    public static Task<EntryHead> SingleAsync(
        Stream body, EntryHead declared, BodyCheck check, bool isEndProved, InFlightBody inFlight, CancellationToken cancellation) =>
        CopyAsync(body.ReadAsync, declared, check, isEndProved || declared.Length is not null, inFlight, cancellation);

    private static async Task<EntryHead> CopyAsync(
        Func<Memory<byte>, CancellationToken, ValueTask<int>> read, EntryHead declared, BodyCheck check, bool isEndProved,
        InFlightBody inFlight, CancellationToken cancellation)
    {
        var (head, length, isAtEnd) = await StartAsync(read, declared, check, isEndProved, inFlight, cancellation);
        var isOpen = false;
        if (length >= HeldBytes) Open();
        while (!isAtEnd)
        {
            var room = await inFlight.GetBufferAsync(cancellation);
            var reading = read(room, cancellation);
            var count = isOpen || reading.IsCompleted ? await reading : await OpenAtPauseAsync(reading.AsTask());
            if (count == 0) break;
            check.Follow(room.Span[..count]);
            inFlight.Commit(count);
            length += count;
            if (!isOpen && length >= HeldBytes) Open();
        }
        // 4
        if (head.Length is { } promised && promised != length)
            throw new MalformedAnswerException("The length of a body differs from its declared length.");
        check.CheckLength(head, length);
        check.CheckEnd();
        return head with { Length = length };

        async Task<int> OpenAtPauseAsync(Task<int> pending)
        {
            await Task.WhenAny(pending, Task.Delay(HeldFor, TimeProvider.System, cancellation));
            if (!pending.IsCompleted) Open();
            return await pending;
        }

        void Open()
        {
            isOpen = true;
            inFlight.Open();
        }
    }

    // 1
    private static async Task<(EntryHead Head, long Length, bool IsAtEnd)> StartAsync(
        Func<Memory<byte>, CancellationToken, ValueTask<int>> read, EntryHead declared, BodyCheck check, bool isEndProved,
        InFlightBody inFlight, CancellationToken cancellation)
    {
        var start = ArrayPool<byte>.Shared.Rent(HeldBytes);
        var isReadPending = false;
        try
        {
            EntryHead? head;
            var (length, isAtEnd) = (0, false);
            do
            {
                isReadPending = true;
                var count = await read(start.AsMemory(length, HeldBytes - length), cancellation);
                isReadPending = false;
                length += count;
                isAtEnd = count == 0;
                head = check.Read(declared, start.AsMemory(0, length), isAll: isAtEnd || length == HeldBytes);
            }
            while (head is null);
            if (!isEndProved && !check.KnowsLength(head))
                throw new MalformedAnswerException("A body that is not multipart declares no length, so nothing proves its end.");

            check.Follow(start.AsSpan(0, length));
            inFlight.Begin(head);
            for (var at = 0; at < length;)
            {
                var room = await inFlight.GetBufferAsync(cancellation);
                var count = Math.Min(room.Length, length - at);
                start.AsMemory(at, count).CopyTo(room);
                inFlight.Commit(count);
                at += count;
            }
            return (head, length, isAtEnd);
        }
        finally
        {
            // A cancelled read may still write into the buffer, so it must not return to the pool.
            if (!isReadPending) ArrayPool<byte>.Shared.Return(start);
        }
    }
}
