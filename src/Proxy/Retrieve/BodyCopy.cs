using System.Buffers;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Moves a body: from a backend into a fill, from the cache or a fill to a client.</summary>
internal static class BodyCopy
{
    /// <summary>So much is looked at before a client hears that something comes: a small body is whole by then, or a clear error.</summary>
    private const int HeldBytes = 64 * 1024;

    /// <summary>A backend that pauses for longer is not waited for: what is there leaves.</summary>
    private static readonly TimeSpan HeldFor = TimeSpan.FromMilliseconds(20);

    /// <summary>The one part of a multipart body.</summary>
    /// <exception cref="MalformedAnswerException">It is not as long as declared, there is another, or the closing delimiter is missing.</exception>
    public static async Task<EntryHead> PartToFillAsync(MultipartReader multipart, EntryHead head, Fill fill, CancellationToken cancellation)
    {
        var length = await ToFillAsync(multipart.ReadBodyAsync, head, fill, cancellation);
        if (await multipart.ReadPartAsync(cancellation) is not null) throw new MalformedAnswerException("More parts came than were asked for.");
        return head with { Length = length };
    }

    /// <summary>A body that is no multipart. Its declared length is the one proof that it is whole.</summary>
    /// <exception cref="MalformedAnswerException">It declares no length, or is not as long.</exception>
    public static async Task<EntryHead> SingleToFillAsync(Stream body, EntryHead head, Fill fill, CancellationToken cancellation)
    {
        if (head.Length is null) throw new MalformedAnswerException("A body of one part declares no length, so nothing proves that it is whole.");
        await ToFillAsync(body.ReadAsync, head, fill, cancellation);
        return head;
    }

    private static async Task<long> ToFillAsync(Func<Memory<byte>, CancellationToken, ValueTask<int>> read, EntryHead head, Fill fill, CancellationToken cancellation)
    {
        fill.Begin(head);
        var length = 0L;
        var isOpen = false;
        while (true)
        {
            var reading = read(await fill.GetRoomAsync(cancellation), cancellation);
            var count = isOpen || reading.IsCompleted ? await reading : await OpenAtPauseAsync(reading.AsTask());
            if (count == 0) break;
            fill.Commit(count);
            length += count;
            if (!isOpen && length >= HeldBytes) Open();
        }
        if (head.Length is { } declared && declared != length) throw new MalformedAnswerException("A body is not as long as it says.");
        return length;

        async Task<int> OpenAtPauseAsync(Task<int> pending)
        {
            if (length == 0) return await pending;
            await Task.WhenAny(pending, Task.Delay(HeldFor, TimeProvider.System, cancellation));
            if (!pending.IsCompleted) Open();
            return await pending;
        }

        void Open()
        {
            isOpen = true;
            fill.Open();
        }
    }

    /// <summary>
    /// Writes a body to the client: one on its way leaves piece by piece as it comes; the last piece of one that is here
    /// leaves with what is written behind it.
    /// </summary>
    /// <exception cref="BrokenBodyException">The backend or the disk broke off: the client's connection has to, too.</exception>
    public static async Task ToClientAsync(HttpContext context, IBody body)
    {
        var output = context.Response.BodyWriter;
        var left = (body as IKeptBody)?.Length ?? long.MaxValue;
        for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(context.RequestAborted)).IsEmpty;)
        {
            output.Write(piece.Span);
            left -= piece.Length;
            if (left > 0) await output.FlushAsync(context.RequestAborted);
        }
    }
}
