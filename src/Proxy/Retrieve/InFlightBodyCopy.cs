using System.Buffers;
using Proxy.Backends;
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

    /// <summary>Copies a body.</summary>
    /// <param name="body">The body.</param>
    /// <param name="check">Checks that it is the requested object.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">
    /// It is not the requested object, nothing proves its end, its length differs from the declared one, or another body follows.
    /// </exception>
    public static async Task<EntryHead> CopyAsync(
        ArchiveBody body, BodyCheck check, InFlightBody inFlight, CancellationToken cancellation)
    {
        var (head, length, isAtEnd) = await StartAsync(body, check, inFlight, cancellation);
        var isOpen = false;
        if (length >= HeldBytes) Open();
        while (!isAtEnd)
        {
            var room = await inFlight.GetBufferAsync(cancellation);
            var reading = body.ReadAsync(room, cancellation);
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
        await body.CheckEndAsync(cancellation);
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
        ArchiveBody body, BodyCheck check, InFlightBody inFlight, CancellationToken cancellation)
    {
        var declared = new EntryHead(body.MediaType, body.TransferSyntax, body.Length);
        var start = ArrayPool<byte>.Shared.Rent(HeldBytes);
        var isReadPending = false;
        try
        {
            EntryHead? head;
            var (length, isAtEnd) = (0, false);
            do
            {
                isReadPending = true;
                var count = await body.ReadAsync(start.AsMemory(length, HeldBytes - length), cancellation);
                isReadPending = false;
                length += count;
                isAtEnd = count == 0;
                head = check.Read(declared, start.AsMemory(0, length), isAll: isAtEnd || length == HeldBytes);
            }
            while (head is null);
            if (!body.IsTruncationDetectable && !check.KnowsLength(head))
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
