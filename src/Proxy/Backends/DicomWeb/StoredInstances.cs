using System.Text;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>Reads from the answer to a store request which instances were stored as they were sent (PS3.18 §I.2).</summary>
/// <remarks>
/// <code>
/// (0008,1199) Referenced SOP Sequence   >(0008,1155) UID   >(0008,1190) Retrieve URL   >(0008,1196) Warning Reason
/// (0008,1198) Failed SOP Sequence       >(0008,1155) UID   >(0008,1197) Failure Reason
/// </code>
/// </remarks>
internal static class StoredInstances
{
    private static readonly Tag ReferencedSequence = new(0x00081199);
    private static readonly Tag FailedSequence = new(0x00081198);
    private static readonly Tag ReferencedInstance = new(0x00081155);
    private static readonly Tag WarningReason = new(0x00081196);
    private static readonly Tag FailureReason = new(0x00081197);

    /// <summary>
    /// The instances that the first sequence names once, with a Retrieve URL of the same instance and without a reason, and the second
    /// one does not name.
    /// </summary>
    /// <param name="json">The dataset, with the addresses of the backend as <see cref="DicomJsonWriter.RootMark"/>.</param>
    public static IReadOnlySet<InstancePath> FindUnchanged(ReadOnlySpan<byte> json)
    {
        var stored = new Dictionary<Uid, InstancePath>();
        var doubtful = new HashSet<Uid>();
        var sequence = default(Tag);
        Item item = default;
        for (var cursor = new DatasetCursor(json); cursor.MoveNext();)
        {
            switch (cursor.Node)
            {
                case DatasetNode.Element when cursor.Depth == 0:
                    sequence = cursor.Tag;
                    break;
                case DatasetNode.Item when cursor.Depth == 1:
                    item = default;
                    break;
                case DatasetNode.Element when cursor.Depth == 1:
                    item = item.With(cursor.Tag, Dataset.ReadFirst(cursor.Attribute));
                    break;
                case DatasetNode.ItemEnd when cursor.Depth == 0 && item.Uid is { } uid:
                    if (sequence == FailedSequence) doubtful.Add(uid);
                    if (sequence != ReferencedSequence) break;
                    if (item is { HasReason: false, Path: { } path } && path.Instance == uid && stored.TryAdd(uid, path)) break;
                    doubtful.Add(uid);
                    break;
                default:
                    break;
            }
        }
        return stored.Where(one => !doubtful.Contains(one.Key)).Select(one => one.Value).ToHashSet();
    }

    private readonly record struct Item(Uid? Uid, InstancePath? Path, bool HasReason)
    {
        public Item With(Tag tag, string? value)
        {
            if (tag == ReferencedInstance) return this with { Uid = Dicom.Uid.TryParse(value, out var uid) ? uid : null };
            if (tag == Tag.RetrieveUrl) return this with { Path = FindPath(value) };
            return tag == WarningReason || tag == FailureReason ? this with { HasReason = HasReason || value is not null } : this;
        }

        private static InstancePath? FindPath(string? url)
        {
            var mark = Encoding.UTF8.GetString(DicomJsonWriter.RootMark);
            return url?.StartsWith(mark, StringComparison.Ordinal) == true ? StoreResponse.FindInstance(url[mark.Length..]) : null;
        }
    }
}
