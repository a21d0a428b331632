using Proxy.Dimse.Protocol;

namespace Proxy.Dimse.Receiving;

/// <summary>A C-MOVE to the proxy itself: the instances arrive on associations that the PACS opens (PS3.7 §9.1.4, PS3.4 §C.4.2).</summary>
/// <remarks>
/// <code>
/// C-MOVE-RQ ─►
///           ◄─ C-MOVE-RSP pending …               optional
///           ◄─ C-MOVE-RSP final                   the outcome
/// other associations (MoveListener):
///           ◄─ C-STORE-RQ, dataset                read one after the other, as they arrive
/// C-STORE-RSP ─►                                  once the caller has the whole instance
/// </code>
/// The time limits concern the whole operation: an instance or an answer on any of the associations ends a wait.
/// </remarks>
/// <param name="association">The association of the C-MOVE; it is aborted when the operation is left before its end.</param>
/// <param name="pending">The C-MOVE, registered.</param>
/// <param name="time">The clock of the time limits.</param>
internal sealed class MoveOperation(Association association, PendingMove pending, TimeProvider time) : RetrieveOperation
{
    private bool _isFirst = true;
    private Task<DimseMessage>? _answer;
    private ReceivedStore? _arriving;

    /// <summary>Sends the request.</summary>
    /// <param name="identifier">What to retrieve, in the transfer syntax of the context.</param>
    /// <param name="isLow">True for a low priority, which few archives respect.</param>
    /// <param name="cancellation">Ends the association.</param>
    public Task StartAsync(ReadOnlyMemory<byte> identifier, bool isLow, CancellationToken cancellation)
    {
        var context = association.GetContext(SopClass.StudyRootMove, "C-MOVE");
        association.IsInOperation = true;
        var command = new CommandSet(CommandField.MoveRequest)
        {
            SopClass = SopClass.StudyRootMove,
            MessageId = pending.Id,
            MoveDestination = pending.Backend.Dimse!.CallingAeTitle,
            Priority = isLow ? (ushort)2 : (ushort)0,
            HasDataset = true,
        };
        return association.SendAsync(context.Id, command, identifier, cancellation);
    }

    /// <inheritdoc/>
    public override async Task<ArrivingInstance?> ReadNextAsync(CancellationToken cancellation)
    {
        if (_arriving is { } before)
        {
            await AnswerAsync(before.Association, before.Message, DimseStatus.Success, cancellation);
            before.Done.TrySetResult(true);
            _arriving = null;
        }
        while (!pending.Received.TryRead(out _arriving))
        {
            if (Outcome is not null) return null;
            await WaitAsync(cancellation);
        }
        return _arriving.Instance;
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation) =>
        _arriving!.Association.ReadDataAsync(destination, cancellation);

    /// <summary>Waits for an instance, or for an answer to the C-MOVE.</summary>
    private async Task WaitAsync(CancellationToken cancellation)
    {
        _answer ??= ReadAnswerAsync(cancellation);
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var arrived = pending.Received.WaitToReadAsync(waiting.Token).AsTask();
        var options = pending.Backend.Dimse!;
        try
        {
            await Task.WhenAny(_answer, arrived)
                .WaitAsync(_isFirst ? options.FirstAnswerTimeout : options.AnswerTimeout, time, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException("no answer in time", e);
        }
        finally
        {
            await waiting.CancelAsync();
        }
        _isFirst = false;
        if (!_answer.IsCompleted) return;
        var command = (await _answer).Command;
        _answer = null;
        if (command.Field != CommandField.MoveResponse || command.RespondedTo != pending.Id)
        {
            await association.AbortAsync();
            throw PduReader.Malformed("The answer belongs to another request (PS3.7 §9.3).");
        }
        if (DimseStatus.IsPending(command.Status)) return;
        Outcome = command;
        association.IsInOperation = false;
    }

    private Task<DimseMessage> ReadAnswerAsync(CancellationToken cancellation)
    {
        var answer = association.ReadMessageAsync(isFirst: null, cancellation);
        // The operation may be left while the answer is awaited, which then fails with the association.
        _ = answer.ContinueWith(static failed => failed.Exception, TaskScheduler.Default);
        return answer;
    }
}
