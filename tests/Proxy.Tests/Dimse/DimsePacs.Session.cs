using System.Buffers.Binary;
using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Tests.Dimse;

internal sealed partial class DimsePacs
{
    /// <summary>One association.</summary>
    private sealed class Session(DimsePacs pacs, Stream stream, CancellationToken stop)
    {
        private const int MaxFragmentBytes = 128 * 1024 - PduWriter.PdvHeadBytes;

        private ImmutableArray<PresentationContext> _contexts = [];
        private bool _isOver;

        public async Task RunAsync()
        {
            var (_, content) = await ReadPduAsync();
            var request = PduReader.ReadAssociate(content);
            if (pacs.Rejects is { } rejection)
            {
                await stream.WriteAsync(PduWriter.Write(rejection), stop);
                return;
            }
            _contexts = request.Contexts;
            foreach (var context in request.Contexts) pacs.Proposed.Enqueue(context);
            await stream.WriteAsync(
                PduWriter.Write(PduType.AssociateAccept, request with
                {
                    Contexts = [.. request.Contexts.Select(Answer)],
                    Roles = pacs.AnswersRoles ? request.Roles : [],
                }),
                stop);
            while (!_isOver && await ReadMessageAsync() is var (context, command, dataset)) await AnswerAsync(context, command, dataset);
        }

        private async Task AnswerAsync(byte context, CommandSet command, byte[] dataset)
        {
            switch (command.Field)
            {
                case CommandField.EchoRequest:
                    await SendAsync(context, Response(CommandField.EchoResponse, command, 0), null);
                    break;
                case CommandField.FindRequest:
                    await FindAsync(context, command, Read(context, dataset));
                    break;
                case CommandField.GetRequest:
                    await GetAsync(context, command, Read(context, dataset));
                    break;
                case CommandField.StoreRequest:
                    pacs.Received.Enqueue((command.SopInstance, dataset));
                    var status = pacs.AnswersStore(command.SopInstance);
                    _isOver = status is null;
                    if (status is null) await stream.WriteAsync(PduWriter.WriteAbort(), stop);
                    else await SendAsync(context, Response(CommandField.StoreResponse, command, status.Value), null);
                    return;
                case CommandField.MoveRequest:
                    await MoveAsync(context, command, Read(context, dataset));
                    break;
                case CommandField.CancelRequest:
                    pacs.Cancelled++;
                    return;
            }
            _isOver = pacs.ClosesAfterOperation;
        }

        private PresentationContext Answer(PresentationContext context) => context with
        {
            TransferSyntaxes = [context.TransferSyntaxes[0]],
            Result = context.AbstractSyntax == SopClass.StudyRootGet && !pacs.SupportsGet || context.AbstractSyntax == pacs.RefusedClass
                ? ContextResult.AbstractSyntaxNotSupported
                : ContextResult.Acceptance,
        };

        private Dataset Read(byte context, byte[] dataset)
        {
            var isImplicit = GetSyntax(context) == TransferSyntax.ImplicitLittleEndian;
            var identifier = DicomJsonReader.ReadStored(Part10DatasetReader.ReadIdentifier(dataset, isImplicit).Json.Span);
            pacs.RawIdentifiers.Enqueue(dataset);
            pacs.Identifiers.Enqueue(identifier);
            return identifier;
        }

        private async Task FindAsync(byte context, CommandSet command, Dataset keys)
        {
            foreach (var row in FindRows(keys))
                await SendAsync(
                    context, Response(CommandField.FindResponse, command, 0xFF00), row.Write(GetSyntax(context), pacs.RowCharacterSet));
            await SendAsync(context, Response(CommandField.FindResponse, command, 0), null);
        }

        private IEnumerable<Identifier> FindRows(Dataset keys)
        {
            var level = keys.FindString(new(0x00080052));
            if (level == "STUDY")
            {
                for (var i = 0; i < pacs.Studies; i++)
                {
                    var study = i == 0 ? Study : $"1.3.{i}";
                    if (keys.FindUid(Tag.StudyInstanceUid) is { } asked && asked.ToString() != study) continue;
                    yield return Row(
                        "STUDY", (0x0020000D, study), (0x00100010, "Müller^Jürgen"), (0x00100020, $"{i}"), (0x00080020, "20260102"),
                        (0x00201206, pacs.Counts ? "1" : ""), (0x00201208, pacs.Counts ? $"{pacs.Instances.Length}" : ""),
                        (0x00080061, pacs.Counts ? "CT" : ""));
                }
            }
            else if (keys.FindString(Tag.StudyInstanceUid) != Study)
            {
                yield break;
            }
            else if (level == "SERIES")
            {
                yield return Row(
                    "SERIES", (0x0020000D, Study), (0x0020000E, Series), (0x00080060, "CT"),
                    (0x00201209, pacs.Counts ? $"{pacs.Instances.Length}" : ""));
            }
            else
            {
                foreach (var uid in pacs.Instances)
                    yield return Row(
                        "IMAGE", (0x0020000D, Study), (0x0020000E, Series), (0x00080018, uid), (0x00080016, CtStorage),
                        (0x00200013, uid.Split('.')[^1]));
            }
        }

        private static Identifier Row(string level, params (uint Tag, string Value)[] values)
        {
            var row = new Identifier();
            row.Set(new(0x00080052), level);
            row.Set(new(0x00080054), "PACS");
            foreach (var (tag, value) in values) row.Set(new(tag), value);
            return row;
        }

        private List<string> FindInstances(Dataset keys)
        {
            List<string> asked = [.. keys.FindStrings(Tag.SopInstanceUid).OfType<string>()];
            if (asked.Count == 0) asked.AddRange(pacs.Instances);
            return asked;
        }

        private async Task MoveAsync(byte context, CommandSet command, Dataset keys)
        {
            pacs.Moves++;
            if (pacs.MovesTo is not { } port || command.MoveDestination != "PROXY")
            {
                await SendAsync(context, Response(CommandField.MoveResponse, command, 0xA801), null);
                return;
            }
            var asked = keys.FindString(Tag.StudyInstanceUid) == Study ? FindInstances(keys) : [];
            var sent = 0;
            if (asked.Count > 0)
            {
                await using var storing = await StoringPeer.ConnectAsync(pacs.StoresAs, port, stop);
                foreach (var uid in pacs.Sends?.Invoke(asked, pacs.Stored.IsEmpty) ?? asked)
                {
                    ushort? originator = pacs.SendsOriginator ? command.MessageId : null;
                    pacs.Stored.Enqueue(await storing.StoreAsync(uid, pacs.Dataset(uid), originator, stop));
                    sent++;
                }
            }
            var status = pacs.GetStatus ?? (sent >= asked.Count ? (ushort)0 : (ushort)0xB000);
            await SendAsync(context, Response(CommandField.MoveResponse, command, status), null);
        }

        private async Task GetAsync(byte context, CommandSet command, Dataset keys)
        {
            pacs.Gets++;
            var asked = FindInstances(keys);
            var storage = _contexts.First(
                c => c.AbstractSyntax == CtStorage && c.TransferSyntaxes[0] == (pacs.SentSyntax ?? c.TransferSyntaxes[0]));
            var isFirst = pacs.Stored.IsEmpty;
            var sent = 0;
            foreach (var uid in pacs.Sends?.Invoke(asked, isFirst) ?? asked)
            {
                var store = new CommandSet(CommandField.StoreRequest)
                {
                    SopClass = CtStorage,
                    SopInstance = uid,
                    MessageId = (ushort)(100 + sent),
                    HasDataset = true,
                };
                await SendAsync(storage.Id, store, pacs.Dataset(uid));
                if (_isOver) return;
                var (_, answer, _) = await ReadMessageAsync() ?? throw new IOException("The proxy has gone.");
                pacs.Stored.Enqueue(answer.Status);
                sent++;
            }
            var status = pacs.GetStatus ?? (sent == asked.Count ? (ushort)0 : (ushort)0xB000);
            await SendAsync(context, Response(CommandField.GetResponse, command, status), null);
        }

        private string GetSyntax(byte context) => _contexts.First(c => c.Id == context).TransferSyntaxes[0];

        private static CommandSet Response(CommandField field, CommandSet request, ushort status) => new(field)
        {
            SopClass = request.SopClass,
            RespondedTo = request.MessageId,
            Status = status,
            HasDataset = status == 0xFF00,
        };

        private async Task SendAsync(byte context, CommandSet command, byte[]? dataset)
        {
            await WriteAsync(context, command.Write(), PdvKind.Command | PdvKind.Last);
            if (dataset is null) return;
            // The dataset in two fragments, each in a PDU of its own.
            await WriteAsync(context, dataset[..(dataset.Length / 2)], PdvKind.Dataset);
            if (pacs.AbortsInside && command.Field == CommandField.StoreRequest)
            {
                await stream.WriteAsync(PduWriter.WriteAbort(), stop);
                _isOver = true;
                return;
            }
            await WriteAsync(context, dataset[(dataset.Length / 2)..], PdvKind.Last);
        }

        private async Task WriteAsync(byte context, byte[] bytes, PdvKind kind)
        {
            for (var at = 0; at == 0 || at < bytes.Length; at += MaxFragmentBytes)
            {
                var piece = bytes.AsMemory(at, Math.Min(MaxFragmentBytes, bytes.Length - at));
                var pdu = new byte[PduWriter.HeadBytes + PduWriter.PdvHeadBytes + piece.Length];
                PduWriter.WriteDataHead(
                    pdu, context, piece.Length, at + piece.Length == bytes.Length ? kind : kind & ~PdvKind.Last);
                piece.CopyTo(pdu.AsMemory(PduWriter.HeadBytes + PduWriter.PdvHeadBytes));
                await stream.WriteAsync(pdu, stop);
            }
        }

        private async Task<(byte Context, CommandSet Command, byte[] Dataset)?> ReadMessageAsync()
        {
            List<byte> command = [], dataset = [];
            CommandSet? read = null;
            byte context = 0;
            while (true)
            {
                var (type, content) = await ReadPduAsync();
                if (type == PduType.ReleaseRequest) await stream.WriteAsync(PduWriter.WriteRelease(PduType.ReleaseResponse), stop);
                if (type != PduType.Data) return null;
                for (var at = 0; at < content.Length;)
                {
                    var (id, kind, length) = PduReader.ReadPdvHead(content.AsSpan(at, 6), content.Length - at);
                    context = id;
                    (kind.HasFlag(PdvKind.Command) ? command : dataset).AddRange(content.AsSpan(at + 6, length));
                    at += 6 + length;
                    if (!kind.HasFlag(PdvKind.Last)) continue;
                    if (kind.HasFlag(PdvKind.Command)) read = CommandSet.Read(command.ToArray());
                    if (!kind.HasFlag(PdvKind.Command) || !read!.HasDataset) return (context, read!, [.. dataset]);
                }
            }
        }

        private async Task<(PduType Type, byte[] Content)> ReadPduAsync()
        {
            var head = new byte[PduWriter.HeadBytes];
            await stream.ReadExactlyAsync(head, stop);
            var content = new byte[BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(2))];
            await stream.ReadExactlyAsync(content, stop);
            return ((PduType)head[0], content);
        }
    }
}
