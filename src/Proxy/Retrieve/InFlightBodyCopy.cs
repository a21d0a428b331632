using System.Buffers;
using Proxy.Cache;
using Proxy.Retrieve.Checks;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Moves a body from a backend into a fill, held to what it must be.</summary>
/// <remarks>
/// <code>
/// 1 start    the first bytes, until the check knows what they are: no client hears of anything before
/// 2 hold     64 KiB, or what is there when the backend pauses: a small body is whole by then, or a clear error
/// 3 pass     the rest as it comes; what is wrong from here on breaks the clients' connections
/// 4 prove    length and end, before anything is kept
/// </code>
/// </remarks>
internal static class InFlightBodyCopy
{
    /// <summary>Bytes that are looked at before a client hears that something comes.</summary>
    private const int HeldBytes = 64 * 1024;

    /// <summary>When a backend pauses for longer, what is there leaves.</summary>
    private static readonly TimeSpan HeldFor = TimeSpan.FromMilliseconds(20);

    /// <summary>The one part of a multipart body, which proves its end.</summary>
    /// <exception cref="MalformedAnswerException">
    /// It is not what was asked for, not as long as declared, another part follows, or the closing delimiter is missing.
    /// </exception>
    public static async Task<EntryHead> PartAsync(
        MultipartReader multipart, EntryHead declared, BodyCheck check, InFlightBody inFlight, CancellationToken cancellation)
    {
        var head = await CopyAsync(multipart.ReadBodyAsync, declared, check, isEndProved: true, inFlight, cancellation);
        if (await multipart.ReadPartAsync(cancellation) is not null)
            throw new MalformedAnswerException("More parts came than were asked for.");
        return head;
    }

    /// <summary>A body that is no multipart.</summary>
    /// <param name="body">Its bytes.</param>
    /// <param name="declared">What the answer says of it.</param>
    /// <param name="check">What it must be.</param>
    /// <param name="isEndProved">A body that is cut shows by itself; else only its length can prove that it is whole.</param>
    /// <param name="inFlight">Receives the bytes.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="MalformedAnswerException">
    /// It is not what was asked for, nothing proves its end, or it is not as long as declared.
    /// </exception>
    public static Task<EntryHead> SingleAsync(
        Stream body, EntryHead declared, BodyCheck check, bool isEndProved, InFlightBody inFlight, CancellationToken cancellation) =>
        CopyAsync(body.ReadAsync, declared, check, isEndProved || declared.Length is not null, inFlight, cancellation);

    private static async Task<EntryHead> CopyAsync(
        Func<Memory<byte>, CancellationToken, ValueTask<int>> read, EntryHead declared, BodyCheck check, bool isEndProved,
        InFlightBody inFlight,
        CancellationToken cancellation)
    {
        var (head, length, isAtEnd) = await StartAsync(read, declared, check, isEndProved, inFlight, cancellation);
        var isOpen = false;
        if (length >= HeldBytes) Open();
        while (!isAtEnd)
        {
            var reading = read(await inFlight.GetRoomAsync(cancellation), cancellation);
            var count = isOpen || reading.IsCompleted ? await reading : await OpenAtPauseAsync(reading.AsTask());
            if (count == 0) break;
            inFlight.Commit(count);
            length += count;
            if (!isOpen && length >= HeldBytes) Open();
        }
        // 4
        if (head.Length is { } promised && promised != length) throw new MalformedAnswerException("A body is not as long as it says.");
        check.CheckLength(head, length);
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
        InFlightBody inFlight,
        CancellationToken cancellation)
    {
        var start = ArrayPool<byte>.Shared.Rent(HeldBytes);
        var isLeft = false;
        try
        {
            EntryHead? head;
            var (length, isAtEnd) = (0, false);
            do
            {
                isLeft = true;
                var count = await read(start.AsMemory(length, HeldBytes - length), cancellation);
                isLeft = false;
                length += count;
                isAtEnd = count == 0;
                head = check.Read(declared, start.AsMemory(0, length), isAll: isAtEnd || length == HeldBytes);
            }
            while (head is null);
            if (!isEndProved && !check.KnowsLength(head))
                throw new MalformedAnswerException("A body of one part declares no length, so nothing proves that it is whole.");

            inFlight.Begin(head);
            for (var at = 0; at < length;)
            {
                var room = await inFlight.GetRoomAsync(cancellation);
                var count = Math.Min(room.Length, length - at);
                start.AsMemory(at, count).CopyTo(room);
                inFlight.Commit(count);
                at += count;
            }
            return (head, length, isAtEnd);
        }
        finally
        {
            // A read that broke off may still write into it.
            if (!isLeft) ArrayPool<byte>.Shared.Return(start);
        }
    }
}
