using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Dimse;

/// <summary>Nothing that a peer sends ends in another exception than the documented ones, or in no end.</summary>
public class HostilePeerTests
{
    private const string CtStorage = "1.2.840.10008.5.1.4.1.1.2";

    private static readonly AssociationLimits Limits = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(30));

    private static readonly AssociatePdu Request = new(
        "PROXY", "PACS",
        [
            new(1, CtStorage, [BodyFormat.ExplicitLittleEndian]),
            .. ContextPlan.Queries.Contexts.Select(context => context with { Id = (byte)(context.Id + 2) }),
        ])
    {
        MaxPduBytes = 16384,
    };

    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FailsInADocumentedWay_ForEveryMutation()
    {
        var random = new Random(19);
        var accept = PduWriter.Write(
            PduType.AssociateAccept, Request with { Contexts = ContextPlan.Accept(Request.Contexts, isUncompressed: false) });
        byte[] answers = [.. accept, .. Message(CommandField.FindResponse), .. Message(CommandField.StoreRequest)];
        byte[] requests = [.. PduWriter.Write(PduType.AssociateRequest, Request), .. Message(CommandField.StoreRequest)];
        for (var round = 0; round < 1500; round++)
        {
            await RunAsync(Mutate(round % 2 == 0 ? answers : requests, random), isRequester: round % 2 == 0);
        }
    }

    [Fact]
    public async Task EndsAConnection_ThatSendsNoRequest()
    {
        var accepting = Association.AcceptAsync(new SilentStream(), _ => (null, default), Limits, _time, Cancel);
        _time.Advance(TimeSpan.FromSeconds(11));

        await Assert.ThrowsAsync<TimeoutException>(() => accepting);
    }

    [Fact]
    public async Task EndsAnAssociation_WhoseDatasetStops()
    {
        byte[] sent = [.. PduWriter.Write(PduType.AssociateRequest, Request), .. Message(CommandField.StoreRequest)[..^20]];
        var (association, _) = (await Association.AcceptAsync(new SilentStream(sent), Accept, Limits, _time, Cancel))!.Value;
        await association.ReadMessageAsync(isFirst: true, Cancel);
        var skipping = association.SkipDataAsync(Cancel).AsTask();
        _time.Advance(TimeSpan.FromSeconds(31));

        await Assert.ThrowsAsync<TimeoutException>(() => skipping);
    }

    private static (AssociatePdu? Accept, Rejection Rejection) Accept(AssociatePdu request) =>
        (request with { Contexts = ContextPlan.Accept(request.Contexts, isUncompressed: false) }, default);

    /// <summary>Reads messages until the end of the bytes.</summary>
    private async Task RunAsync(byte[] bytes, bool isRequester)
    {
        try
        {
            var association = isRequester
                ? await Association.RequestAsync(new EndingStream(bytes), Request, Limits, _time, Cancel)
                : (await Association.AcceptAsync(new EndingStream(bytes), Accept, Limits, _time, Cancel))!.Value.Association;
            await using (association)
            {
                while (true)
                {
                    var message = await association.ReadMessageAsync(isFirst: true, Cancel);
                    _ = (message.Command.Status, message.Command.SopInstance, message.Command.MoveOriginatorId, message.Command.Completed);
                    if (association.FindContext(message.Context) is not null) _ = RetrieveOperation.Check(association, message, out _);
                }
            }
        }
        catch (Exception e) when (e is AssociationException or MalformedAnswerException)
        {
            // As documented.
        }
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        byte[] mutated = [.. bytes];
        for (var count = random.Next(1, 5); count > 0; count--)
        {
            var at = random.Next(mutated.Length);
            mutated[at] = random.Next(4) switch
            {
                0 => 0xFF,
                1 => 0,
                2 => (byte)(mutated[at] ^ (1 << random.Next(8))),
                _ => (byte)random.Next(256),
            };
        }
        return random.Next(4) == 0 ? mutated[..random.Next(mutated.Length)] : mutated;
    }

    private static byte[] Message(CommandField field)
    {
        var command = new CommandSet(field)
        {
            SopClass = CtStorage,
            SopInstance = "1.2.3",
            MessageId = 1,
            RespondedTo = 1,
            Status = 0xFF00,
            HasDataset = true,
        }.Write();
        return [.. Pdu(command, PdvKind.Command | PdvKind.Last), .. Pdu(new byte[50], PdvKind.Dataset), .. Pdu(new byte[50], PdvKind.Last)];
    }

    private static byte[] Pdu(byte[] bytes, PdvKind kind)
    {
        var head = new byte[PduWriter.HeadBytes + PduWriter.PdvHeadBytes];
        PduWriter.WriteDataHead(head, 1, bytes.Length, kind);
        return [.. head, .. bytes];
    }

    /// <summary>A connection that the peer closes after these bytes.</summary>
    private class EndingStream(byte[] bytes) : MemoryStream(bytes, writable: false)
    {
        public override bool CanWrite => true;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => default;
    }

    /// <summary>A connection that stays open without a byte after these.</summary>
    private sealed class SilentStream(params byte[] bytes) : EndingStream(bytes)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await base.ReadAsync(buffer, cancellationToken);
            if (count == 0) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return count;
        }
    }
}
