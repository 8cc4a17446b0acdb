{
  # For `node-gyp rebuild` and tools that call it. The build itself is CMake's; npm install does not come through here.
  "targets": [
    {
      "target_name": "rosi",
      "type": "none",
      "actions": [
        {
          "action_name": "build the addon with CMake",
          "inputs": ["CMakeLists.txt", "scripts/engine.json"],
          "outputs": ["build/Release/rosi.node"],
          "action": ["node", "scripts/build-addon.mjs"]
        }
      ]
    }
  ]
}
