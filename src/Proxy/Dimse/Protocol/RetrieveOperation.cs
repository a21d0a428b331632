namespace Proxy.Dimse.Protocol;

/// <summary>A C-GET or C-MOVE whose instances are read one after the other, as they arrive.</summary>
internal abstract class RetrieveOperation
{
    /// <summary>The final answer; null until <see cref="ReadNextAsync"/> has returned null.</summary>
    public CommandSet? Outcome { get; protected set; }

    /// <summary>
    /// Accepts the instance before, whose dataset must be read to its end, and goes to the next one; null after the last one.
    /// </summary>
    /// <exception cref="AssociationException">The peer ended the association.</exception>
    /// <exception cref="TimeoutException">Nothing arrived in time.</exception>
    /// <exception cref="Wire.MalformedAnswerException">The bytes are no message.</exception>
    public abstract Task<ArrivingInstance?> ReadNextAsync(CancellationToken cancellation);

    /// <summary>Reads bytes of the dataset of the current instance; 0 at its end.</summary>
    /// <inheritdoc cref="ReadNextAsync"/>
    public abstract ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation);

    /// <summary>Checks a C-STORE request: null if the instance can be received, else the status of the refusal.</summary>
    /// <param name="association">The association.</param>
    /// <param name="message">The request.</param>
    /// <param name="instance">The instance; null when it is refused.</param>
    internal static ushort? Check(Association association, DimseMessage message, out ArrivingInstance? instance)
    {
        instance = null;
        var (context, command) = (association.FindContext(message.Context)!, message.Command);
        if (!association.ReceivedClasses.Contains(context.AbstractSyntax) || context.AbstractSyntax != command.SopClass)
            return DimseStatus.SopClassNotSupported;
        if (!command.HasDataset || !Dicom.Uid.TryParse(command.SopInstance, out var uid)) return DimseStatus.CannotUnderstand;
        instance = new(uid, command.SopClass, context.TransferSyntaxes[0]);
        return null;
    }

    /// <summary>Answers a C-STORE request.</summary>
    internal static Task AnswerAsync(Association association, DimseMessage store, ushort status, CancellationToken cancellation) =>
        association.SendAsync(
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
