using System.Collections.Immutable;

namespace Proxy.Dimse.Protocol;

/// <summary>An association (PS3.8 §7, §9.2): messages out, messages in, one at a time.</summary>
/// <remarks>
/// <code>
/// Sta2  connection accepted     RQ → Sta3, answered with AC → Sta6 or RJ → closed      anything else, time-out → closed
/// Sta5  A-ASSOCIATE-RQ sent     AC → Sta6      RJ, ABORT, time-out → closed
/// Sta6  open                    P-DATA-TF      RELEASE-RQ → RP, closed      anything else → ABORT, closed
/// Sta7  A-RELEASE-RQ sent       RP, time-out → closed
/// </code>
/// Fragments are passed on as they arrive: memory is one buffer of 64 KiB, however long a dataset is. Not safe for concurrent use.
/// </remarks>
internal sealed partial class Association : IAsyncDisposable
{
    /// <summary>The largest P-DATA-TF PDU that the proxy receives and sends, in bytes without its head.</summary>
    public const int MaxPduBytes = 128 * 1024;

    /// <summary>The most fragments without a byte in a row: more are no message.</summary>
    private const int MaxEmptyFragments = 1000;

    /// <summary>The most bytes of a dataset that is not wanted.</summary>
    private const long MaxSkippedBytes = 64 * 1024 * 1024;

    private readonly PduStream _stream;
    private readonly AssociationLimits _limits;
    private readonly ImmutableDictionary<byte, PresentationContext> _contexts;
    private readonly int _maxFragmentBytes;
    private int _pduLeft;
    private int _pdvLeft;
    private int _emptyFragments;
    private byte _context;
    private PdvKind _kind;
    private bool _isInDataset;
    private ushort _messageId;

    /// <summary>The number of commands that have arrived.</summary>
    public long Received { get; private set; }

    /// <summary>The SOP classes whose instances the peer may send to the proxy.</summary>
    public ImmutableHashSet<string> ReceivedClasses { get; }

    /// <summary>True from a request to its final answer.</summary>
    public bool IsInOperation { get; set; }

    /// <summary>True when the association may be used for another operation.</summary>
    public bool IsIdle => !_stream.IsBroken && !IsInOperation && !_isInDataset && _pduLeft == 0 && !_stream.HasBuffered;

    /// <summary>True when at least one storage class may be received: a context was accepted with its role.</summary>
    public bool CanReceive => _contexts.Values.Any(context => ReceivedClasses.Contains(context.AbstractSyntax));

    /// <summary>The accepted context of a SOP class, or null.</summary>
    public PresentationContext? FindContext(string sopClass) =>
        _contexts.Values.Where(context => context.AbstractSyntax == sopClass).MinBy(context => context.Id);

    /// <summary>The accepted context with this ID, or null.</summary>
    public PresentationContext? FindContext(byte id) => _contexts.GetValueOrDefault(id);

    /// <summary>The ID of the next request, which begins an operation.</summary>
    public ushort NextMessageId()
    {
        IsInOperation = true;
        return ++_messageId;
    }

    /// <summary>Sends a message: the command and the dataset in PDUs of their own, and all of them at once.</summary>
    /// <remarks>One write: a second small write would wait for the acknowledgement of the first for 40 ms and more.</remarks>
    /// <param name="context">The ID of an accepted context.</param>
    /// <param name="command">The command.</param>
    /// <param name="dataset">The dataset in the transfer syntax of the context; empty for none.</param>
    /// <param name="cancellation">Cancels the sending, and ends the association.</param>
    public async Task SendAsync(byte context, CommandSet command, ReadOnlyMemory<byte> dataset, CancellationToken cancellation)
    {
        using var output = new MemoryStream();
        Write(output, context, command.Write(), PdvKind.Command);
        if (!dataset.IsEmpty) Write(output, context, dataset.Span, PdvKind.Dataset);
        _stream.Limit = _limits.BetweenAnswers;
        await _stream.WriteAsync(output.GetBuffer().AsMemory(0, (int)output.Length), cancellation);
    }

    /// <summary>Sends a message whose dataset is read while it is sent, in PDUs as large as the peer accepts.</summary>
    /// <param name="context">The ID of an accepted context.</param>
    /// <param name="command">The command.</param>
    /// <param name="read">Reads bytes of the dataset; 0 at its end.</param>
    /// <param name="cancellation">Cancels the sending, and ends the association.</param>
    public async Task SendStreamAsync(
        byte context, CommandSet command, Func<Memory<byte>, CancellationToken, ValueTask<int>> read, CancellationToken cancellation)
    {
        const int headBytes = PduWriter.HeadBytes + PduWriter.PdvHeadBytes;
        using var start = new MemoryStream();
        Write(start, context, command.Write(), PdvKind.Command);
        var pdu = new byte[headBytes + _maxFragmentBytes];
        for (var isLast = false; !isLast;)
        {
            var length = 0;
            for (int count; length < _maxFragmentBytes; length += count)
            {
                count = await read(pdu.AsMemory(headBytes + length, _maxFragmentBytes - length), cancellation);
                isLast = count == 0;
                if (isLast) break;
            }
            PduWriter.WriteDataHead(pdu, context, length, isLast ? PdvKind.Last : PdvKind.Dataset);
            start.Write(pdu.AsSpan(0, headBytes + length));
            _stream.Limit = _limits.BetweenAnswers;
            await _stream.WriteAsync(start.GetBuffer().AsMemory(0, (int)start.Length), cancellation);
            start.SetLength(0);
        }
    }

    /// <summary>Receives the next command; what is left of the dataset before it is skipped.</summary>
    /// <param name="isFirst">
    /// True for the first answer to a request, which may take longer than the others; null when the caller limits the wait itself.
    /// </param>
    /// <param name="cancellation">Cancels the wait, and ends the association.</param>
    /// <exception cref="AssociationException">The peer ended the association.</exception>
    /// <exception cref="TimeoutException">Nothing arrived in time.</exception>
    /// <exception cref="Wire.MalformedAnswerException">The bytes are no message.</exception>
    public async Task<DimseMessage> ReadMessageAsync(bool? isFirst, CancellationToken cancellation)
    {
        if (_isInDataset) await SkipDataAsync(cancellation);
        _stream.Limit = isFirst switch
        {
            null => Timeout.InfiniteTimeSpan,
            true => _limits.FirstAnswer,
            false => _limits.BetweenAnswers,
        };
        var bytes = new byte[1024];
        var length = 0;
        byte? context = null;
        do
        {
            await ReadPdvHeadAsync(cancellation);
            if (!_kind.HasFlag(PdvKind.Command) || context is { } first && first != _context)
                throw await AbortAsync("A message does not begin with its command (PS3.8 §E.1).");
            context = _context;
            if (length + _pdvLeft > CommandSet.MaxBytes) throw await AbortAsync("A command set is longer than the limit.");
            if (bytes.Length < length + _pdvLeft) Array.Resize(ref bytes, Math.Max(length + _pdvLeft, 2 * bytes.Length));
            while (_pdvLeft > 0) length += await ReadFragmentAsync(bytes.AsMemory(length, _pdvLeft), cancellation);
            _stream.Limit = _limits.BetweenAnswers;
        }
        while (!_kind.HasFlag(PdvKind.Last));
        if (!_contexts.ContainsKey(_context)) throw await AbortAsync("A message has a context that was not accepted.");
        var command = CommandSet.Read(bytes.AsSpan(0, length));
        Received++;
        _isInDataset = command.HasDataset;
        _kind = PdvKind.Dataset;
        return new(_context, command);
    }

    /// <summary>Reads bytes of the dataset of the last command, as many as have arrived and fit; 0 at its end.</summary>
    /// <inheritdoc cref="ReadMessageAsync"/>
    public async ValueTask<int> ReadDataAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        while (_isInDataset)
        {
            if (_pdvLeft > 0) return await ReadFragmentAsync(destination, cancellation);
            if (_kind.HasFlag(PdvKind.Last))
            {
                _isInDataset = false;
                break;
            }
            var context = _context;
            await ReadPdvHeadAsync(cancellation);
            if (_kind.HasFlag(PdvKind.Command) || _context != context)
                throw await AbortAsync("A dataset is interrupted by another message (PS3.8 §E.1).");
        }
        return 0;
    }

    /// <summary>Reads the dataset of the last command to its end, and discards it; aborts if it is longer than 64 MiB.</summary>
    /// <inheritdoc cref="ReadMessageAsync"/>
    public async ValueTask SkipDataAsync(CancellationToken cancellation)
    {
        var skipped = new byte[4096];
        var left = MaxSkippedBytes;
        for (int count; (count = await ReadDataAsync(skipped, cancellation)) > 0; left -= count)
        {
            if (left < 0) throw await AbortAsync("A dataset that was not requested is too long.");
        }
    }

    /// <summary>Ends the association in order, or aborts it in the middle of an operation.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!IsIdle)
        {
            await _stream.CloseAsync(_stream.IsBroken ? ReadOnlyMemory<byte>.Empty : PduWriter.WriteAbort());
            return;
        }
        try
        {
            _stream.Limit = _limits.Association;
            await _stream.WriteAsync(PduWriter.WriteRelease(PduType.ReleaseRequest), CancellationToken.None);
            var (type, _) = await _stream.ReadHeadAsync(CancellationToken.None);
            if (type != PduType.ReleaseResponse) await _stream.CloseAsync(PduWriter.WriteAbort());
        }
        catch (Exception e) when (e is AssociationException or TimeoutException)
        {
            // The peer has ended it already.
        }
        await _stream.DisposeAsync();
    }

    /// <summary>Ends the association at once, also during an operation.</summary>
    public ValueTask AbortAsync() => _stream.CloseAsync(PduWriter.WriteAbort());

    private async Task<Exception> AbortAsync(string message)
    {
        await AbortAsync();
        return PduReader.Malformed(message);
    }

    private void Write(MemoryStream output, byte context, ReadOnlySpan<byte> bytes, PdvKind kind)
    {
        Span<byte> head = stackalloc byte[PduWriter.HeadBytes + PduWriter.PdvHeadBytes];
        do
        {
            var count = Math.Min(bytes.Length, _maxFragmentBytes);
            PduWriter.WriteDataHead(head, context, count, count == bytes.Length ? kind | PdvKind.Last : kind);
            output.Write(head);
            output.Write(bytes[..count]);
            bytes = bytes[count..];
        }
        while (!bytes.IsEmpty);
    }

    private async ValueTask<int> ReadFragmentAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        var count = await _stream.ReadAsync(destination[..Math.Min(destination.Length, _pdvLeft)], cancellation);
        _pdvLeft -= count;
        _pduLeft -= count;
        return count;
    }

    /// <summary>Goes to the next fragment.</summary>
    private async ValueTask ReadPdvHeadAsync(CancellationToken cancellation)
    {
        while (_pduLeft == 0) await ReadPduHeadAsync(cancellation);
        if (_pduLeft < PduWriter.PdvHeadBytes) throw await AbortAsync("A PDU ends inside the head of a PDV (PS3.8 §9.3.5).");
        var head = await _stream.ReadAsync(PduWriter.PdvHeadBytes, cancellation);
        try
        {
            (_context, _kind, _pdvLeft) = PduReader.ReadPdvHead(head.Span, _pduLeft);
        }
        catch (Wire.MalformedAnswerException)
        {
            await AbortAsync();
            throw;
        }
        _pduLeft -= PduWriter.PdvHeadBytes;
        await CountEmptyAsync(isEmpty: _pdvLeft == 0);
    }

    private async ValueTask ReadPduHeadAsync(CancellationToken cancellation)
    {
        var (type, length) = await _stream.ReadHeadAsync(cancellation);
        switch (type)
        {
            case PduType.Data when length <= PduReader.MaxDataBytes:
                _pduLeft = (int)length;
                if (length == 0) await CountEmptyAsync(isEmpty: true);
                return;
            case PduType.ReleaseRequest:
                await _stream.CloseAsync(PduWriter.WriteRelease(PduType.ReleaseResponse));
                throw new AssociationException(AssociationEnd.Closed, "it released the association");
            case PduType.Abort when length == 4:
                var exception = Aborted((await _stream.ReadAsync(4, cancellation)).Span);
                await _stream.DisposeAsync();
                throw exception;
            default:
                throw await AbortAsync("A PDU is not expected here, or is longer than the limit (PS3.8 §9.2).");
        }
    }

    private async ValueTask CountEmptyAsync(bool isEmpty)
    {
        _emptyFragments = isEmpty ? _emptyFragments + 1 : 0;
        if (_emptyFragments > MaxEmptyFragments) throw await AbortAsync("A message consists of empty fragments.");
    }

    private static AssociationException Aborted(ReadOnlySpan<byte> content) => new(
        AssociationEnd.Aborted,
        content.Length >= 4 && content[2] == 2
            ? $"it aborted the association: reason {content[3]} of its provider (PS3.8 Table 9-26)"
            : "it aborted the association");
}
