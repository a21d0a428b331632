using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;

namespace Proxy.Tests.Dimse;

/// <summary>A peer that stores instances at the proxy, as a PACS does during a C-MOVE.</summary>
internal sealed class StoringPeer(Association association) : IAsyncDisposable
{
    private const string CtStorage = "1.2.840.10008.5.1.4.1.1.2";

    public static async Task<StoringPeer> ConnectAsync(string callingTitle, int port, CancellationToken cancellation)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
        var contexts = ImmutableArray.Create(
            new PresentationContext(1, CtStorage, [TransferSyntax.ImplicitLittleEndian, BodyFormat.ExplicitLittleEndian]),
            new PresentationContext(3, SopClass.StudyRootFind, [BodyFormat.ExplicitLittleEndian]));
        var limits = new AssociationLimits(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1));
        return new(await Association.RequestAsync(
            client.GetStream(), new("PROXY", callingTitle, contexts), limits, TimeProvider.System, cancellation));
    }

    /// <summary>True when the proxy accepted a context for another service than storage.</summary>
    public bool MayFind => association.FindContext(SopClass.StudyRootFind) is not null;

    /// <summary>Stores an instance; the status of the answer.</summary>
    public async Task<ushort> StoreAsync(string uid, byte[] dataset, ushort? moveId, CancellationToken cancellation)
    {
        var context = association.FindContext(CtStorage)!;
        var command = new CommandSet(CommandField.StoreRequest)
        {
            SopClass = CtStorage,
            SopInstance = uid,
            MessageId = association.NextMessageId(),
            HasDataset = true,
        };
        if (moveId is { } id)
        {
            command = new(CommandField.StoreRequest)
            {
                SopClass = CtStorage,
                SopInstance = uid,
                MessageId = command.MessageId,
                HasDataset = true,
                MoveOriginator = "PROXY",
                MoveOriginatorId = id,
            };
        }
        await association.SendAsync(context.Id, command, dataset, cancellation);
        var answer = await association.ReadAnswerAsync(CommandField.StoreResponse, command.MessageId, isFirst: true, cancellation);
        association.IsInOperation = false;
        return answer.Status;
    }

    public ValueTask DisposeAsync() => association.DisposeAsync();
}
