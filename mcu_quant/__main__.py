from mcu_quant.cli import main

main()
