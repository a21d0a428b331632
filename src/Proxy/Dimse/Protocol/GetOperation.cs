namespace Proxy.Dimse.Protocol;

/// <summary>A C-GET: the instances arrive as C-STORE requests on the same association (PS3.7 §9.1.3, PS3.4 §C.4.3).</summary>
/// <remarks>
/// <code>
/// C-GET-RQ ─►
///           ◄─ C-STORE-RQ, dataset      read as it arrives; not answering is the back-pressure
/// C-STORE-RSP ─►                        once the caller has the whole instance
///           ◄─ C-GET-RSP pending …
///           ◄─ C-GET-RSP final          the outcome
/// </code>
/// </remarks>
/// <param name="association">The association; it is aborted when the operation is left before its end.</param>
internal sealed class GetOperation(Association association) : RetrieveOperation
{
    private ushort _id;
    private bool _isFirst = true;
    private DimseMessage? _arriving;

    /// <summary>Sends the request.</summary>
    /// <param name="identifier">What to retrieve, in the transfer syntax of the context.</param>
    /// <param name="isLow">True for a low priority, which few archives respect.</param>
    /// <param name="cancellation">Ends the association.</param>
    public Task StartAsync(ReadOnlyMemory<byte> identifier, bool isLow, CancellationToken cancellation)
    {
        var context = association.GetContext(SopClass.StudyRootGet, "C-GET");
        _id = association.NextMessageId();
        var command = new CommandSet(CommandField.GetRequest)
        {
            SopClass = SopClass.StudyRootGet,
            MessageId = _id,
            Priority = isLow ? (ushort)2 : (ushort)0,
            HasDataset = true,
        };
        return association.SendAsync(context.Id, command, identifier, cancellation);
    }

    /// <inheritdoc/>
    public override async Task<ArrivingInstance?> ReadNextAsync(CancellationToken cancellation)
    {
        if (_arriving is { } before) await AnswerAsync(association, before, DimseStatus.Success, cancellation);
        _arriving = null;
        while (true)
        {
            var message = await association.ReadMessageAsync(_isFirst, cancellation);
            _isFirst = false;
            var command = message.Command;
            if (command.Field == CommandField.GetResponse && command.RespondedTo == _id)
            {
                if (DimseStatus.IsPending(command.Status)) continue;
                Outcome = command;
                association.IsInOperation = false;
                return null;
            }
            if (command.Field != CommandField.StoreRequest)
            {
                await association.AbortAsync();
                throw PduReader.Malformed("A message does not belong to the retrieval (PS3.4 §C.4.3).");
            }
            var refusal = Check(association, message, out var instance);
            if (refusal is null)
            {
                _arriving = message;
                return instance;
            }
            await AnswerAsync(association, message, refusal.Value, cancellation);
        }
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation) =>
        association.ReadDataAsync(destination, cancellation);
}
