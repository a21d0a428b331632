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
internal sealed class GetOperation(Association association)
{
    private const ushort RefusedSopClass = 0x0122;
    private const ushort CannotUnderstand = 0xC000;

    private ushort _id;
    private bool _isFirst = true;
    private DimseMessage? _arriving;

    /// <summary>The final answer; null until <see cref="ReadNextAsync"/> has returned null.</summary>
    public CommandSet? Outcome { get; private set; }

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

    /// <summary>
    /// Accepts the instance before, whose dataset must be read to its end, and goes to the next one; null after the last one.
    /// </summary>
    /// <exception cref="AssociationException">The peer ended the association.</exception>
    /// <exception cref="TimeoutException">Nothing arrived in time.</exception>
    /// <exception cref="Wire.MalformedAnswerException">The bytes are no message.</exception>
    public async Task<ArrivingInstance?> ReadNextAsync(CancellationToken cancellation)
    {
        if (_arriving is { } before) await AnswerAsync(before, DimseStatus.Success, cancellation);
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
                return null;
            }
            if (command.Field != CommandField.StoreRequest)
            {
                await association.AbortAsync();
                throw PduReader.Malformed("A message does not belong to the retrieval (PS3.4 §C.4.3).");
            }
            var context = association.FindContext(message.Context)!;
            if (!association.ReceivedClasses.Contains(context.AbstractSyntax) || context.AbstractSyntax != command.SopClass)
                await AnswerAsync(message, RefusedSopClass, cancellation);
            else if (!command.HasDataset || !Dicom.Uid.TryParse(command.SopInstance, out var instance))
                await AnswerAsync(message, CannotUnderstand, cancellation);
            else
                return Arrive(message, context, instance);
        }
    }

    /// <summary>Reads bytes of the dataset of the current instance; 0 at its end.</summary>
    /// <inheritdoc cref="ReadNextAsync"/>
    public ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation) =>
        association.ReadDataAsync(destination, cancellation);

    private ArrivingInstance Arrive(DimseMessage message, PresentationContext context, Dicom.Uid instance)
    {
        _arriving = message;
        return new(instance, message.Command.SopClass, context.TransferSyntaxes[0]);
    }

    private Task AnswerAsync(DimseMessage store, ushort status, CancellationToken cancellation) => association.SendAsync(
        store.Context,
        new(CommandField.StoreResponse)
        {
            SopClass = store.Command.SopClass,
            SopInstance = store.Command.SopInstance,
            RespondedTo = store.Command.MessageId,
            Status = status,
            HasDataset = false,
        },
        default, cancellation);
}

/// <summary>An instance that arrives: its command, and the transfer syntax of its context, which is that of its dataset.</summary>
/// <param name="SopInstance">Affected SOP Instance UID.</param>
/// <param name="SopClass">Affected SOP Class UID.</param>
/// <param name="TransferSyntax">The accepted transfer syntax of the context.</param>
internal sealed record ArrivingInstance(Dicom.Uid SopInstance, string SopClass, string TransferSyntax);
