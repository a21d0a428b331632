using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Dimse;

public sealed class AssociationTests : IDisposable
{
    private static readonly AssociatePdu Request = new("PACS", "PROXY", ContextPlan.Queries.Contexts) { MaxPduBytes = 131072 };

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public AssociationTests() => _listener.Start();

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task ReadsADataset_InFragmentsAcrossPdusAndSeveralInOne()
    {
        var answer = new CommandSet(CommandField.FindResponse) { RespondedTo = 1, Status = 0xFF00, HasDataset = true }.Write();
        byte[] fragments =
        [
            .. Pdu(Pdv(3, PdvKind.Command, answer[..5])), .. Pdu(Pdv(3, PdvKind.Command | PdvKind.Last, answer[5..]), Pdv(3, 0, [1, 2])),
            .. Pdu(Pdv(3, 0, [3]), Pdv(3, 0, []), Pdv(3, 0, [4, 5])), .. Pdu(Pdv(3, PdvKind.Last, [])),
        ];
        var (association, peer) = await OpenAsync();
        await using (association)
        using (peer)
        {
            await peer.GetStream().WriteAsync(fragments, Cancel);

            var (context, command) = await association.ReadMessageAsync(isFirst: true, Cancel);
            List<byte> read = [];
            var buffer = new byte[2];
            for (int count; (count = await association.ReadDataAsync(buffer, Cancel)) > 0;) read.AddRange(buffer[..count]);

            Assert.Equal((3, CommandField.FindResponse), (context, command.Field));
            Assert.Equal([1, 2, 3, 4, 5], read);
            Assert.True(association.IsIdle);
            await association.AbortAsync();
        }
    }

    [Fact]
    public async Task SendsNoPduLongerThanThePeerAccepts()
    {
        var (association, peer) = await OpenAsync(maxPduBytes: 64);
        await using (association)
        using (peer)
        {
            var sent = association.SendAsync(
                3, new(CommandField.FindRequest) { MessageId = 1, HasDataset = true }, new byte[1000], Cancel);
            var received = 0;
            while (received < 1000)
            {
                var pdu = await ReadPduAsync(peer.GetStream());
                Assert.InRange(pdu.Length, 6, 64);
                // A command and a dataset are never in one PDV (PS3.8 §E.1).
                if ((pdu[5] & 1) == 0) received += pdu.Length - 6;
            }
            await sent;
            await association.AbortAsync();
        }
    }

    [Theory]
    [InlineData("07000000000400000000", false)]
    [InlineData("", false)]
    [InlineData("040000000008000000FF0301AABB", true)]
    [InlineData("0400FFFFFFFF", true)]
    [InlineData("0900000000040000000000", true)]
    public async Task Fails_WhenThePeerEndsOrBreaksTheMessage(string bytes, bool isMalformed)
    {
        var (association, peer) = await OpenAsync();
        await using (association)
        {
            await peer.GetStream().WriteAsync(Pdu(Pdv(3, PdvKind.Command, [0, 0, 0])), Cancel);
            await peer.GetStream().WriteAsync(Convert.FromHexString(bytes), Cancel);
            peer.Client.Shutdown(SocketShutdown.Send);

            var failure = await Record.ExceptionAsync(() => association.ReadMessageAsync(isFirst: true, Cancel));

            Assert.Equal(isMalformed, failure is MalformedAnswerException);
            Assert.True(isMalformed || failure is AssociationException);
            Assert.False(association.IsIdle);
        }
        peer.Dispose();
    }

    [Fact]
    public async Task Fails_WhenThePeerSendsFragmentsWithoutEnd()
    {
        var (association, peer) = await OpenAsync();
        await using (association)
        {
            await peer.GetStream().WriteAsync(
                Enumerable.Repeat(Pdu(Pdv(3, PdvKind.Command, [])), 2000).SelectMany(pdu => pdu).ToArray(), Cancel);

            await Assert.ThrowsAsync<MalformedAnswerException>(() => association.ReadMessageAsync(isFirst: true, Cancel));
        }
        peer.Dispose();
    }

    [Fact]
    public async Task TimesOut_WhenThePeerDoesNotAnswer()
    {
        var (association, peer) = await OpenAsync();
        await using (association)
        {
            var reading = association.ReadMessageAsync(isFirst: true, Cancel);
            _time.Advance(TimeSpan.FromSeconds(59));
            Assert.False(reading.IsCompleted);
            _time.Advance(TimeSpan.FromSeconds(2));

            await Assert.ThrowsAsync<TimeoutException>(() => reading);
        }
        peer.Dispose();
    }

    [Theory]
    [InlineData(1, 1, 7, "it rejected the association: it does not know the called AE title")]
    [InlineData(1, 1, 3, "it rejected the association: it does not know the calling AE title")]
    [InlineData(2, 3, 2, "it rejected the association: it allows no more associations")]
    public async Task SaysWhyAnAssociationIsRejected(byte result, byte source, byte reason, string words)
    {
        var opening = RequestAsync();
        using var peer = await _listener.AcceptTcpClientAsync(Cancel);
        await ReadPduAsync(peer.GetStream());
        await peer.GetStream().WriteAsync(PduWriter.Write(new Rejection(result, source, reason)), Cancel);

        var failure = await Assert.ThrowsAsync<AssociationException>(() => opening);

        Assert.Equal((words, result == 2), (failure.Message, failure.Rejection!.Value.IsTransient));
    }

    private async Task<(Association Association, TcpClient Peer)> OpenAsync(uint maxPduBytes = 0)
    {
        var opening = RequestAsync();
        var peer = await _listener.AcceptTcpClientAsync(Cancel);
        var request = PduReader.ReadAssociate(await ReadPduAsync(peer.GetStream()));
        var accept = request with
        {
            MaxPduBytes = maxPduBytes,
            Contexts = [.. request.Contexts.Select(c => c with { TransferSyntaxes = [TransferSyntax.ImplicitLittleEndian] })],
        };
        await peer.GetStream().WriteAsync(PduWriter.Write(PduType.AssociateAccept, accept), Cancel);
        return (await opening, peer);
    }

    private async Task<Association> RequestAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)_listener.LocalEndpoint, Cancel);
        var limits = new AssociationLimits(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(30));
        return await Association.RequestAsync(client.GetStream(), Request, limits, _time, Cancel);
    }

    private static async Task<byte[]> ReadPduAsync(NetworkStream stream)
    {
        var head = new byte[PduWriter.HeadBytes];
        await stream.ReadExactlyAsync(head, Cancel);
        var content = new byte[BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(2))];
        await stream.ReadExactlyAsync(content, Cancel);
        return content;
    }

    private static byte[] Pdu(params byte[][] pdvs)
    {
        byte[] content = [.. pdvs.SelectMany(pdv => pdv)];
        return [(byte)PduType.Data, 0, 0, 0, (byte)(content.Length >> 8), (byte)content.Length, .. content];
    }

    private static byte[] Pdv(byte context, PdvKind kind, byte[] bytes) =>
        [0, 0, 0, (byte)(bytes.Length + 2), context, (byte)kind, .. bytes];
}
