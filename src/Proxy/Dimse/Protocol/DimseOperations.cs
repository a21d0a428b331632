namespace Proxy.Dimse.Protocol;

/// <summary>C-ECHO, C-FIND and C-STORE on an association (PS3.7 §9.1).</summary>
internal static class DimseOperations
{
    /// <summary>The longest identifier of an answer, in bytes.</summary>
    private const int MaxIdentifierBytes = 1024 * 1024;

    /// <summary>The most answers after a C-CANCEL; then the association is aborted.</summary>
    private const int MaxAfterCancel = 10_000;

    /// <summary>Sends C-ECHO and waits for its answer.</summary>
    /// <exception cref="DimseStatusException">The peer refused it.</exception>
    public static async Task EchoAsync(this Association association, CancellationToken cancellation)
    {
        var context = association.GetContext(SopClass.Verification, "C-ECHO");
        var id = association.NextMessageId();
        var command = new CommandSet(CommandField.EchoRequest)
        {
            SopClass = SopClass.Verification,
            MessageId = id,
            HasDataset = false,
        };
        await association.SendAsync(context.Id, command, default, cancellation);
        var answer = await association.ReadAnswerAsync(CommandField.EchoResponse, id, isFirst: true, cancellation);
        association.IsInOperation = false;
        if (answer.Status != DimseStatus.Success) throw new DimseStatusException(answer.Status);
    }

    /// <summary>Sends C-FIND and reads the identifiers of its answers, in the transfer syntax of the context.</summary>
    /// <param name="association">The association.</param>
    /// <param name="context">Its context for C-FIND.</param>
    /// <param name="identifier">The keys, in the transfer syntax of the context.</param>
    /// <param name="add">
    /// Takes one identifier; false when it is enough: the operation is then cancelled (C-CANCEL), and its end awaited.
    /// </param>
    /// <param name="cancellation">Ends the association.</param>
    /// <exception cref="DimseStatusException">The peer could not answer.</exception>
    public static async Task FindAsync(
        this Association association, PresentationContext context, ReadOnlyMemory<byte> identifier, Predicate<byte[]> add,
        CancellationToken cancellation)
    {
        var id = association.NextMessageId();
        var command = new CommandSet(CommandField.FindRequest)
        {
            SopClass = context.AbstractSyntax,
            MessageId = id,
            Priority = 0,
            HasDataset = true,
        };
        await association.SendAsync(context.Id, command, identifier, cancellation);
        var (isFirst, isEnough) = (true, false);
        for (var unwanted = 0; unwanted < MaxAfterCancel; unwanted += isEnough ? 1 : 0)
        {
            var answer = await association.ReadAnswerAsync(CommandField.FindResponse, id, isFirst, cancellation);
            isFirst = false;
            if (!DimseStatus.IsPending(answer.Status))
            {
                association.IsInOperation = false;
                if (answer.Status == DimseStatus.Success || answer.Status == DimseStatus.Cancelled && isEnough) return;
                throw new DimseStatusException(answer.Status);
            }
            if (isEnough || add(await ReadIdentifierAsync(association, cancellation))) continue;
            isEnough = true;
            await association.SendAsync(
                context.Id, new(CommandField.CancelRequest) { RespondedTo = id, HasDataset = false }, default, cancellation);
        }
        // The peer ignores the C-CANCEL.
        await association.AbortAsync();
    }

    /// <summary>Sends C-STORE, and waits for its answer.</summary>
    /// <param name="association">The association.</param>
    /// <param name="context">Its context for the SOP class and the transfer syntax of the dataset.</param>
    /// <param name="instance">The instance.</param>
    /// <param name="read">Reads bytes of the dataset; 0 at its end.</param>
    /// <param name="cancellation">Ends the association.</param>
    /// <returns>The status, of success or failure.</returns>
    public static async Task<ushort> StoreAsync(
        this Association association, PresentationContext context, Dicom.Uid instance,
        Func<Memory<byte>, CancellationToken, ValueTask<int>> read, CancellationToken cancellation)
    {
        var id = association.NextMessageId();
        var command = new CommandSet(CommandField.StoreRequest)
        {
            SopClass = context.AbstractSyntax,
            SopInstance = instance.ToString(),
            MessageId = id,
            Priority = 0,
            HasDataset = true,
        };
        await association.SendStreamAsync(context.Id, command, read, cancellation);
        var answer = await association.ReadAnswerAsync(CommandField.StoreResponse, id, isFirst: true, cancellation);
        association.IsInOperation = false;
        return answer.Status;
    }

    /// <summary>The accepted context of a service.</summary>
    /// <exception cref="AssociationException">The peer accepted none.</exception>
    public static PresentationContext GetContext(this Association association, string sopClass, string service) =>
        association.FindContext(sopClass)
        ?? throw new AssociationException(AssociationEnd.NoContext, $"it accepts no presentation context for {service}");

    /// <summary>Reads the next answer to a request.</summary>
    internal static async Task<CommandSet> ReadAnswerAsync(
        this Association association, CommandField field, ushort id, bool isFirst, CancellationToken cancellation)
    {
        var (_, command) = await association.ReadMessageAsync(isFirst, cancellation);
        if (command.Field == field && command.RespondedTo == id) return command;
        await association.AbortAsync();
        throw PduReader.Malformed("The answer belongs to another request (PS3.7 §9.3).");
    }

    private static async Task<byte[]> ReadIdentifierAsync(Association association, CancellationToken cancellation)
    {
        var bytes = new byte[2048];
        for (var length = 0; ;)
        {
            var count = await association.ReadDataAsync(bytes.AsMemory(length), cancellation);
            if (count == 0) return bytes[..length];
            length += count;
            if (length > MaxIdentifierBytes)
            {
                await association.AbortAsync();
                throw PduReader.Malformed("An identifier is longer than the limit.");
            }
            if (length == bytes.Length) Array.Resize(ref bytes, 2 * length);
        }
    }
}
